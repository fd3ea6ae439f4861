// The engines and what they are doing, and the requests of late: asked for quietly while somebody looks.

import { $, make, tell } from "./element.js";
import { ServerError, ask, askJson } from "./server.js";
import { duration, language, languageName, size, t } from "./words.js";

const EVERY = 3000; // milliseconds
let timer = 0;
let turn = 0; // of watching; an answer that comes after the next has begun sets no timer
const seen = {};

const PARTS = {
  engines: { path: "engines", show: showEngines },
  requests: { path: "requests", show: showRequests },
};

/** Keep this part of the page true until another one is looked at. */
export async function watch(part) {
  clearTimeout(timer);
  const mine = ++turn;
  const watched = PARTS[part];
  if (!watched) return;
  const status = $(`${part}-status`);
  let next;
  try {
    if (!document.hidden) {
      seen[part] = await askJson(watched.path);
      watched.show(seen[part]);
      if (status.classList.contains("bad")) tell(status, "");
    }
    next = EVERY;
  } catch (error) {
    if (error.status === 401) return;
    tell(status, error instanceof ServerError ? error.message : t("unreachable"), true);
    next = EVERY * 2;
  }
  if (turn === mine) timer = setTimeout(() => watch(part), next);
}

function showEngines({ engines }) {
  const focused = document.activeElement?.dataset?.engine;
  $("engines-list").replaceChildren(...engines.map(card));
  if (focused) document.querySelector(`[data-engine="${CSS.escape(focused)}"]`)?.focus();
}

function card(engine) {
  const figures = [
    [t("workers"), engine.workers],
    [t("memory"), engine.memory ? size(engine.memory) : "–"],
    [t("waiting"), engine.waiting],
    ...(engine.voices ? [[t("voices"), engine.voices]] : []),
    ...(engine.languages.length ? [[t("languages"), [...new Set(engine.languages.map((tag) => languageName(tag.split("-")[0])))].join(", ")]] : []),
  ];
  return make("li", { class: "card" },
    make("div", { class: "head" },
      make("h2", {}, engine.name),
      make("span", { class: `state ${engine.state}` }, t(engine.state)),
      make("span", { class: "hint" }, t(engine.task)),
      ...(engine.workers ? [make("button", {
        class: "secondary", type: "button", "data-engine": engine.name,
        "aria-label": t("unload-name", { name: engine.name }), onclick: () => unload(engine.name),
      }, t("unload"))] : []),
    ),
    make("p", { class: "hint" }, [engine.description, engine.licence].filter(Boolean).join(" · ")),
    ...(engine.state === "loading" ? [progress(engine)] : []),
    engine.missing ? missing(engine.missing) : make("dl", { class: "figures" }, ...figures.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value))))),
  );
}

/** How far an engine is with loading: measured by the last time, and open-ended before that. */
function progress(engine) {
  const known = engine.load_seconds ? { max: engine.load_seconds, value: Math.min(engine.loading_seconds ?? 0, engine.load_seconds * 0.97) } : {};
  return make("progress", { ...known, "aria-label": t("loading") });
}

/** What keeps an engine from working; the command that mends it stands out. */
function missing(text) {
  const [reason, ...commands] = text.split(/\bRun: /);
  return make("p", {}, reason, ...commands.flatMap((command) => [make("br"), `${t("run")} `, make("code", {}, command)]));
}

async function unload(name) {
  try {
    await ask(`engines/${encodeURIComponent(name)}/unload`, { method: "POST" });
    tell($("engines-status"), t("unloaded", { name }));
    watch("engines");
  } catch (error) {
    tell($("engines-status"), error instanceof ServerError ? error.message : t("unreachable"), true);
  }
}

function showRequests({ requests }) {
  if (!requests.length) return $("requests-table").replaceChildren(make("p", { class: "hint" }, t("requests-none")));
  const head = ["when", "what", "engine", "who"].map((name) => make("th", { scope: "col" }, t(name)));
  const numbers = ["first-short", "total-short", "audio-short"].map((name) => make("th", { scope: "col", class: "number" }, t(name)));
  $("requests-table").replaceChildren(
    make("table", {},
      make("caption", { class: "unseen" }, t("requests-title")),
      make("thead", {}, make("tr", {}, ...head, ...numbers, make("th", { scope: "col" }, t("outcome")))),
      make("tbody", {}, ...requests.map(line)),
    ),
  );
}

function line(request) {
  const began = new Date(request.began * 1000);
  const figure = (name, value) => make("td", { class: "number", "data-name": t(name) }, value === undefined || value === null ? "–" : duration(value));
  const outcome = request.outcome || "running";
  const good = ["ok", "running", "cancelled"].includes(outcome);
  return make("tr", {},
    make("td", {}, make("time", { datetime: began.toISOString() }, began.toLocaleTimeString(language))),
    make("td", {}, t(request.task)),
    make("td", {}, request.engine),
    make("td", {}, request.voice),
    figure("first-short", request.first),
    figure("total-short", request.seconds),
    figure("audio-short", request.audio),
    make("td", { class: good ? "" : "bad" }, good ? t(outcome) : outcome, ...(request.text ? [make("div", { class: "hint" }, request.text)] : [])),
  );
}

document.addEventListener("language", () => {
  for (const [part, content] of Object.entries(seen)) PARTS[part].show(content);
});
