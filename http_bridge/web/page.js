// The page: its parts by the address's #, language, theme, the token, and what all parts ask the server once.

import { $, tell } from "./element.js";
import { watch } from "./engines.js";
import { showLanguages } from "./listen.js";
import { showMaking } from "./own.js";
import { ServerError, askJson, hasToken, keepToken } from "./server.js";
import { showFormats, showVoices } from "./speak.js";
import { showVoiceList } from "./voices.js";
import { language, speakLanguage, t } from "./words.js";

const PARTS = ["speak", "listen", "voices", "engines", "requests"];
const THEMES = ["auto", "light", "dark"];

function part() {
  const named = location.hash.slice(1);
  return PARTS.includes(named) ? named : "speak";
}

function show() {
  for (const name of PARTS) document.querySelector(`main > #${name}`).hidden = name !== part();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${part()}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${t(part())} · Wyoming Voice`;
  scrollTo(0, 0);
  watch(part());
}

async function load() {
  try {
    const [{ voices }, capabilities] = await Promise.all([askJson("voices"), askJson("capabilities")]);
    showVoices(voices);
    showVoiceList(voices);
    showFormats(Object.keys(capabilities.formats));
    showLanguages(capabilities.hears);
    showMaking(capabilities.makes);
    $("problem").hidden = true;
    watch(part());
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    $("problem").hidden = false;
    tell($("problem"), error instanceof ServerError ? error.message : t("unreachable"));
    setTimeout(load, 5000);
    return false;
  }
}

document.addEventListener("voices", load);

// The token

document.addEventListener("unauthorized", () => {
  if ($("door").open) return;
  $("door-problem").hidden = !hasToken();
  $("door-problem").textContent = t("token-wrong");
  $("door").showModal();
  $("token").focus();
});
$("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken($("token").value.trim());
  $("door").close();
  load();
});
$("door-close").addEventListener("click", () => $("door").close());

// Language and theme

function showOtherLanguage() {
  const other = language === "ru" ? ["en", "EN", "English"] : ["ru", "RU", "Русский язык"];
  const button = $("language");
  [button.lang, button.textContent] = other;
  button.setAttribute("aria-label", `${other[1]}: ${other[2]}`);
}

function theme() {
  return localStorage.getItem("theme") ?? "auto";
}

function showTheme() {
  document.documentElement.dataset.theme = theme();
  $("theme").setAttribute("aria-label", t(`theme-${theme()}`));
  $("theme").title = t(`theme-${theme()}`);
  document.dispatchEvent(new Event("theme"));
}

$("language").addEventListener("click", () => {
  speakLanguage(language === "ru" ? "en" : "ru");
  localStorage.setItem("language", language);
});
$("theme").addEventListener("click", () => {
  localStorage.setItem("theme", THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length]);
  showTheme();
});
document.addEventListener("language", () => {
  showOtherLanguage();
  showTheme();
  document.title = `${t(part())} · Wyoming Voice`;
});
document.addEventListener("visibilitychange", () => document.hidden || watch(part()));
addEventListener("hashchange", () => {
  if (location.hash === "#main") return; // the link past the navigation
  show();
  $("main").focus({ preventScroll: true });
});

speakLanguage(language);
show();
load();
