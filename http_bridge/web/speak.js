// Speak a text: it plays while it is being made, and says how quick that was.

import { $, make, save, tell } from "./element.js";
import { Picker } from "./picker.js";
import { Player, Samples, toFloat, wavFile } from "./player.js";
import { ServerError, postJson } from "./server.js";
import { duration, number, t } from "./words.js";
import { Wave } from "./wave.js";

const wave = new Wave($("wave"));
const picker = new Picker($("voice"), $("voice-list"), (voice) => {
  localStorage.setItem("voice", voice?.id ?? "");
  showSpeakers();
});
let current = null; // what is being spoken: {abort, player}
let spoken = null; // what was: {request, pieces, rate}
const figures = { first: null, factor: null, length: null };

export function showVoices(voices) {
  picker.show(voices, localStorage.getItem("voice") ?? "");
  showSpeakers();
}

function showSpeakers() {
  const speakers = picker.voice?.speakers ?? [];
  const chosen = $("speaker").value;
  $("speaker-field").hidden = !speakers.length;
  $("speaker").replaceChildren(make("option", { value: "" }, t("speaker-auto")), ...speakers.map((name) => make("option", {}, name)));
  $("speaker").value = speakers.includes(chosen) ? chosen : "";
}

export function chooseVoice(id) {
  picker.choose(id);
  location.hash = "speak";
  $("text").focus();
}

export function showFormats(formats) {
  $("format").replaceChildren(...formats.map((name) => make("option", {}, name)));
}

export async function* streamSpeech(request, signal) {
  const reply = await postJson("tts/wav", { ...request, format: "pcm" }, { signal });
  yield Number(reply.headers.get("X-Sample-Rate"));
  const samples = new Samples();
  const reader = reply.body.getReader();
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw error.name === "AbortError" ? error : new ServerError(t("broke-off"));
    }
    if (piece.done) return;
    yield samples.take(piece.value);
  }
}

function asked() {
  const voice = picker.voice;
  return {
    text: $("text").value,
    voice: voice?.id,
    speaker: $("speaker").value || undefined,
    speed: Number($("speed").value),
    style: $("style").value.trim() || undefined,
  };
}

async function say() {
  const request = asked();
  if (!request.text.trim()) {
    tell($("speak-status"), t("no-text"), true);
    $("text").focus();
    return;
  }
  hush();
  const mine = { abort: new AbortController(), player: null };
  current = mine;
  spoken = { request, pieces: [], rate: 0 };
  Object.assign(figures, { first: null, factor: null, length: null });
  $("sound").hidden = $("hush").hidden = false;
  $("afterwards").hidden = true;
  wave.position = () => mine.player?.position ?? 0;
  wave.clear(0);
  showFigures();
  $("sound").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  tell($("speak-status"), t("speak-waits"));
  try {
    await speakInto(mine, spoken);
    tell($("speak-status"), t(mine.abort.signal.aborted ? "speak-stopped" : spoken.pieces.length ? "speak-done" : "speak-nothing"));
  } catch (error) {
    mine.player?.stop();
    if (mine.abort.signal.aborted) tell($("speak-status"), t("speak-stopped"));
    else tell($("speak-status"), error instanceof ServerError ? error.message : t("unreachable"), true);
  } finally {
    if (current === mine) finished();
  }
}

async function speakInto(mine, kept) {
  const began = performance.now();
  let length = 0;
  for await (const piece of streamSpeech(kept.request, mine.abort.signal)) {
    if (!kept.rate) {
      kept.rate = piece;
      wave.clear(kept.rate);
      mine.player = await Player.open(kept.rate);
      if (mine.abort.signal.aborted) return mine.player.stop();
      wave.follow(mine.player.done);
      continue;
    }
    if (!piece.length) continue;
    if (!kept.pieces.length) {
      figures.first = (performance.now() - began) / 1000;
      tell($("speak-status"), t("speak-plays"));
    }
    kept.pieces.push(piece);
    length += piece.length;
    figures.length = length / kept.rate;
    wave.add(piece);
    showFigures();
    await mine.player.push(toFloat(piece));
  }
  if (figures.length) figures.factor = (performance.now() - began) / 1000 / figures.length;
  showFigures();
  if (kept.pieces.length) $("afterwards").hidden = false;
  await mine.player?.end();
}

function hush() {
  current?.abort.abort();
  current?.player?.stop();
}

function finished() {
  current = null;
  $("hush").hidden = true;
}

async function again() {
  hush();
  const mine = { abort: new AbortController(), player: await Player.open(spoken.rate) };
  current = mine;
  $("hush").hidden = false;
  wave.position = () => mine.player.position;
  wave.follow(mine.player.done);
  tell($("speak-status"), t("speak-plays"));
  for (const piece of spoken.pieces) await mine.player.push(toFloat(piece));
  await mine.player.end();
  tell($("speak-status"), t(mine.abort.signal.aborted ? "speak-stopped" : "speak-done"));
  if (current === mine) finished();
}

async function download() {
  const format = $("format").value;
  const name = `speech-${new Date().toISOString().slice(0, 19).replace(/\D/g, "")}.${format}`;
  if (format === "wav") return save(wavFile(spoken.pieces, spoken.rate), name);
  tell($("speak-status"), t("download-waits"));
  $("download").disabled = true;
  try {
    save(await (await postJson("tts/wav", { ...spoken.request, format })).blob(), name);
    tell($("speak-status"), t("download-done"));
  } catch (error) {
    tell($("speak-status"), error instanceof ServerError ? error.message : t("unreachable"), true);
  } finally {
    $("download").disabled = false;
  }
}

function showFigures() {
  $("figure-first").textContent = figures.first === null ? "–" : duration(figures.first);
  $("figure-factor").textContent = figures.factor === null ? "–" : number(figures.factor, 2);
  $("figure-length").textContent = figures.length === null ? "–" : duration(figures.length);
}

function showSpeed() {
  $("speed-shown").textContent = `${number(Number($("speed").value), 2)}×`;
}

$("speak-form").addEventListener("submit", (event) => {
  event.preventDefault();
  say();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    say();
  }
});
$("hush").addEventListener("click", () => {
  hush();
  $("say").focus();
});
$("again").addEventListener("click", again);
$("download").addEventListener("click", download);
$("speed").addEventListener("input", showSpeed);
document.addEventListener("language", () => {
  picker.close();
  showSpeakers();
  showFigures();
  showSpeed();
});
document.addEventListener("theme", () => wave.draw());
