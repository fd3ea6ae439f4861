// Listen: to the microphone while somebody speaks, or to a recording.

import { $, make, tell } from "./element.js";
import { Microphone, whyNot } from "./microphone.js";
import { ServerError, address, ask, authorization, openSocket, problemOf } from "./server.js";
import { clock, duration, language, languageName, t } from "./words.js";

const MOST_EARLY = 25 * 60; // pieces of sound that may wait for the connection: a minute
let hears = [];
let live = null; // what is being heard: {microphone, socket}
let upload = null; // the request under way
let segments = []; // {start, text}
let facts = null; // {length, took}

export function showLanguages(tags) {
  const own = $("spoken").value || localStorage.getItem("spoken") || language;
  hears = [...new Set(tags.map((tag) => tag.split("-")[0]))];
  $("spoken").replaceChildren(...hears.map((tag) => make("option", { value: tag }, languageName(tag))));
  $("spoken").value = hears.includes(own) ? own : hears[0];
  $("spoken").disabled = $("file").disabled = !hears.length;
  showReason();
}

function showReason() {
  const reason = whyNot() ?? (hears.length ? null : "nobody-listens");
  $("record").disabled = Boolean(reason);
  $("no-microphone").hidden = !reason;
  $("no-microphone").textContent = reason ? t(reason) : "";
}

// What was heard

function startHearing() {
  segments = [];
  facts = null;
  $("transcript").replaceChildren();
  $("partial").textContent = "";
  $("heard").hidden = true;
  showHeard();
}

function showHeard() {
  $("times").hidden = segments.length < 2;
  $("segments").replaceChildren(...segments.map(({ start, text }) => make("li", {}, make("time", {}, clock(start)), make("span", {}, text))));
  $("heard-facts").textContent = facts ? t("heard-facts", { length: duration(facts.length), took: duration(facts.took) }) : "";
}

function add(text, start, separator) {
  $("transcript").append((segments.length ? separator : "") + text);
  segments.push({ start, text });
  $("heard").hidden = false;
  showHeard();
}

// The microphone

async function record() {
  if (live) return finish();
  const early = [];
  const mine = { microphone: null, socket: null, separator: "", error: "", opened: false, closing: false };
  live = mine;
  startHearing();
  $("record").setAttribute("aria-pressed", "true");
  $("record-label").textContent = t("record-stop");
  try {
    mine.microphone = await Microphone.open(({ samples, peak }) => {
      $("level").value = Math.sqrt(peak);
      if (mine.socket?.readyState === WebSocket.OPEN) mine.socket.send(samples);
      else if (early.length < MOST_EARLY) early.push(samples);
    });
  } catch (error) {
    tell($("listen-status"), t(error.name === "NotAllowedError" ? "not-allowed" : "no-device"), true);
    return still(mine);
  }
  if (live !== mine) return mine.microphone.close();
  $("level").hidden = false;
  const query = new URLSearchParams({ encoding: "linear16", sample_rate: mine.microphone.rate, channels: 1, language: $("spoken").value });
  const path = `stt/listen-streaming?${query}`;
  mine.socket = openSocket(path);
  mine.socket.onopen = () => {
    mine.opened = true;
    for (const samples of early.splice(0)) mine.socket.send(samples);
    if (mine.closing) mine.socket.send(JSON.stringify({ type: "Close" }));
    else tell($("listen-status"), t("listen-live"));
  };
  mine.socket.onmessage = (event) => hear(mine, JSON.parse(event.data));
  mine.socket.onclose = (event) => closed(mine, event, path);
}

function hear(mine, message) {
  if (message.type === "Partial") {
    $("heard").hidden = false;
    $("partial").textContent = message.text;
  } else if (message.type === "Final") {
    $("partial").textContent = "";
    if (message.text.trim()) add(message.text.trim(), message.start, mine.separator || "\n");
    mine.separator = message.last ? "\n" : " ";
  } else if (message.type === "UtteranceEnd") {
    $("partial").textContent = "";
  } else if (message.type === "Error") {
    mine.error = message.message;
  }
}

async function closed(mine, event, path) {
  still(mine);
  $("partial").textContent = "";
  if (event.code === 1000) return tell($("listen-status"), t(segments.length ? "listen-done" : "listen-nothing"));
  let reason = mine.error || event.reason;
  if (!reason && !mine.opened) reason = await refusal(path);
  tell($("listen-status"), reason || t("unreachable"), true);
}

/** Browsers do not say why a WebSocket was refused: ask the same without one. */
async function refusal(path) {
  try {
    await ask(path);
  } catch (error) {
    if (error instanceof ServerError) return error.message;
  }
  return "";
}

function finish() {
  const mine = live;
  mine.closing = true;
  mine.microphone?.close();
  $("level").hidden = true;
  if (!mine.socket) return still(mine);
  tell($("listen-status"), t("listen-finishing"));
  if (mine.socket.readyState === WebSocket.OPEN) mine.socket.send(JSON.stringify({ type: "Close" }));
}

function still(mine) {
  mine.microphone?.close();
  if (live !== mine) return;
  live = null;
  $("level").hidden = true;
  $("record").setAttribute("aria-pressed", "false");
  $("record-label").textContent = t("record");
}

// A recording

function transcribe(file) {
  upload?.abort();
  const request = new XMLHttpRequest();
  const began = performance.now();
  upload = request;
  startHearing();
  $("upload").hidden = false;
  $("upload-name").textContent = t("uploading", { name: file.name });
  $("progress").value = 0;
  tell($("listen-status"), "");
  const form = new FormData();
  form.append("language", $("spoken").value);
  form.append("file", file);
  request.upload.onprogress = (event) => event.lengthComputable && ($("progress").value = event.loaded / event.total);
  request.upload.onload = () => {
    $("progress").removeAttribute("value"); // how long the rest takes, nobody knows
    $("upload-name").textContent = t("recognising", { name: file.name });
  };
  request.onabort = () => ended(request, t("listen-stopped"));
  request.onerror = () => ended(request, t("unreachable"), true);
  request.onload = () => {
    if (request.status !== 200) return ended(request, problemOf(request.status, request.responseText).message, true);
    const reply = JSON.parse(request.responseText);
    for (const { text, start } of reply.segments) if (text) add(text, start, " ");
    facts = { length: reply.duration, took: (performance.now() - began) / 1000 };
    showHeard();
    ended(request, t(reply.text ? "listen-done" : "listen-nothing"));
  };
  request.open("POST", address("stt"));
  for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
  request.send(form);
}

function ended(request, text, bad = false) {
  if (upload !== request) return;
  upload = null;
  $("upload").hidden = true;
  tell($("listen-status"), text, bad);
}

async function copy() {
  const text = $("transcript").textContent;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
  } else {
    const field = make("textarea"); // over plain http there is no clipboard
    field.value = text;
    $("heard").append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  tell($("listen-status"), t("copied"));
}

$("record").addEventListener("click", record);
$("copy").addEventListener("click", copy);
$("cancel").addEventListener("click", () => upload?.abort());
$("spoken").addEventListener("change", () => localStorage.setItem("spoken", $("spoken").value));
$("file").addEventListener("change", () => {
  if ($("file").files.length) transcribe($("file").files[0]);
  $("file").value = "";
});
for (const name of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length && hears.length) transcribe(event.dataTransfer.files[0]);
  });
}
document.addEventListener("language", () => {
  showLanguages(hears);
  showHeard();
  $("record-label").textContent = t(live ? "record-stop" : "record");
});
