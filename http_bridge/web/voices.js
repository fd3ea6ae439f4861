// The list of voices, each to be heard and chosen.

import { $, icon, make, tell } from "./element.js";
import { byLanguage, found } from "./picker.js";
import { Player, toFloat } from "./player.js";
import { ServerError, ask } from "./server.js";
import { chooseVoice, streamSpeech } from "./speak.js";
import { languageName, t } from "./words.js";

const PLAY = "M8 5.5v13l11-6.5z";
const STOP = "M7 7h10v10H7z";
const SAMPLES = {
  ru: "Здравствуйте! Сегодня хорошая погода, и я рада вас слышать.",
  en: "Hello! It is a fine day today, and I am glad to be heard.",
  de: "Guten Tag! Heute ist schönes Wetter, und ich freue mich, gehört zu werden.",
  fr: "Bonjour ! Il fait beau aujourd'hui, et je suis ravie d'être entendue.",
  es: "¡Hola! Hoy hace buen tiempo y me alegra que me escuchen.",
  it: "Buongiorno! Oggi è una bella giornata e sono felice di essere ascoltata.",
  pt: "Olá! Hoje está um belo dia e fico feliz em ser ouvida.",
  pl: "Dzień dobry! Dziś jest ładna pogoda i cieszę się, że mnie słychać.",
  uk: "Добрий день! Сьогодні гарна погода, і я рада, що мене чути.",
};
let voices = [];
let playing = null; // {key, abort, player}

export function showVoiceList(list) {
  voices = list;
  show();
}

function show() {
  const kept = found(voices, $("voices-search").value);
  $("voices-list").replaceChildren(
    ...byLanguage(kept).flatMap(([language, members]) => [
      make("h2", { class: "group" }, languageName(language)),
      make("ul", { class: "rows" }, ...members.map((voice) => row(voice, language))),
    ]),
  );
  mark();
  tell($("voices-status"), voices.length ? (kept.length ? "" : t("voices-none")) : t("voices-empty"));
}

function row(voice, language) {
  const facts = [voice.name.toLowerCase().includes(voice.engine) ? "" : voice.engine, voice.name === voice.id ? "" : voice.name, voice.languages.join(", "), voice.licence];
  return make("li", {},
    make("button", { class: "play", type: "button", "data-voice": voice.id, "data-key": voice.id + language, onclick: () => preview(voice, language) }),
    make("div", { class: "what" }, make("strong", {}, voice.id), make("span", { class: "hint" }, facts.filter(Boolean).join(" · "))),
    ...(voice.own ? [make("button", { class: "secondary", type: "button", "aria-label": t("remove-name", { name: voice.id }), onclick: () => remove(voice) }, t("remove"))] : []),
    make("button", { class: "secondary", type: "button", "aria-label": t("choose-name", { name: voice.id }), onclick: () => chooseVoice(voice.id) }, t("choose")),
  );
}

async function remove(voice) {
  if (!confirm(t("remove-sure", { name: voice.id }))) return;
  try {
    await ask(`voices/${encodeURIComponent(voice.id)}`, { method: "DELETE" });
    tell($("voices-status"), t("removed", { name: voice.id }));
    document.dispatchEvent(new Event("voices"));
  } catch (error) {
    tell($("voices-status"), error instanceof ServerError ? error.message : t("unreachable"), true);
  }
}

async function preview(voice, language) {
  const key = voice.id + language;
  const stopped = playing?.key === key;
  playing?.abort.abort();
  playing?.player?.stop();
  playing = null;
  if (stopped) return mark();
  const mine = { key, abort: new AbortController(), player: null };
  playing = mine;
  mark();
  tell($("voices-status"), "");
  try {
    const request = { text: SAMPLES[language] ?? voice.name, voice: voice.id };
    for await (const piece of streamSpeech(request, mine.abort.signal)) {
      if (!mine.player) mine.player = await Player.open(piece);
      else await mine.player.push(toFloat(piece));
      if (mine.abort.signal.aborted) break;
    }
    if (mine.abort.signal.aborted) mine.player?.stop();
    await mine.player?.end();
  } catch (error) {
    mine.player?.stop();
    if (!mine.abort.signal.aborted) tell($("voices-status"), error instanceof ServerError ? error.message : t("unreachable"), true);
  }
  if (playing === mine) playing = null;
  mark();
}

/** Show which voice is being played. */
function mark() {
  for (const button of document.querySelectorAll(".play")) {
    const active = playing?.key === button.dataset.key;
    button.setAttribute("aria-pressed", String(active));
    button.setAttribute("aria-label", t(active ? "stop-preview" : "preview", { name: button.dataset.voice }));
    button.replaceChildren(icon(active ? STOP : PLAY, true));
  }
}

$("voices-search").addEventListener("input", show);
document.addEventListener("language", show);
