// A combobox of voices (WAI-ARIA: list autocomplete), searchable, grouped by language.

import { make } from "./element.js";
import { languageName, t } from "./words.js";

/** Group voices by language: [[language, [voice, …]], …]; one that speaks several is in each. */
export function byLanguage(voices) {
  const groups = new Map();
  for (const voice of voices) {
    for (const language of voice.languages) {
      const base = language.split("-")[0];
      if (!groups.has(base)) groups.set(base, []);
      if (!groups.get(base).includes(voice)) groups.get(base).push(voice);
    }
  }
  return [...groups];
}

/** Keep the voices in which all the words occur: in the name, the engine, or the language. */
export function found(voices, words) {
  const wanted = words.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return voices.filter((voice) => {
    const all = [voice.id, voice.name, voice.engine, ...voice.languages, ...voice.languages.map(languageName)].join(" ").toLocaleLowerCase();
    return wanted.every((word) => all.includes(word));
  });
}

export class Picker {
  #input;
  #list;
  #voices = [];
  #chosen = null;
  #active = -1;

  constructor(input, list, onchange) {
    this.#input = input;
    this.#list = list;
    this.onchange = onchange;
    input.addEventListener("focus", () => input.select());
    input.addEventListener("click", () => this.#open(""));
    input.addEventListener("input", () => this.#open(input.value));
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("blur", () => this.close());
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the input keeps the focus
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose(option);
    });
  }

  get voice() {
    return this.#chosen;
  }

  /** Offer these voices; the one of this name is chosen, if it is among them. */
  show(voices, chosen) {
    this.#voices = voices;
    this.#chosen = voices.find((voice) => voice.id === chosen) ?? null;
    this.close();
  }

  /** Choose a voice by its name; "": by the language of the text. */
  choose(id) {
    this.show(this.#voices, id);
    this.onchange(this.#chosen);
  }

  #open(words) {
    const voices = found(this.#voices, words);
    const auto = words ? [] : [this.#option("", t("voice-auto"), "", !this.#chosen)];
    const groups = byLanguage(voices).map(([language, members], index) =>
      make("div", { role: "group", "aria-labelledby": `voice-group-${index}` },
        make("div", { role: "presentation", id: `voice-group-${index}` }, languageName(language)),
        ...members.map((voice) => this.#option(voice.id, voice.id, voice.engine, voice === this.#chosen)),
      ),
    );
    const content = [...auto, ...groups];
    this.#list.replaceChildren(...(content.length ? content : [make("div", { class: "none", role: "option", "aria-disabled": "true" }, t("voice-none"))]));
    this.#options.forEach((option, index) => (option.id = `voice-option-${index}`));
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    const selected = this.#options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    this.#activate(words ? 0 : selected);
  }

  #option(id, name, engine, selected) {
    return make("div", { role: "option", "data-id": id, "aria-selected": String(selected) }, make("span", {}, name), make("small", {}, engine));
  }

  get #options() {
    return [...this.#list.querySelectorAll("[data-id]")];
  }

  #activate(index) {
    const options = this.#options;
    options[this.#active]?.classList.remove("active");
    this.#active = options.length ? Math.min(Math.max(index, 0), options.length - 1) : -1;
    const active = options[this.#active];
    options.forEach((option) => option.classList.toggle("active", option === active));
    if (active) {
      this.#input.setAttribute("aria-activedescendant", active.id);
      active.scrollIntoView({ block: "nearest" });
    } else {
      this.#input.removeAttribute("aria-activedescendant");
    }
  }

  #choose(option) {
    if (option.dataset.id !== undefined) this.choose(option.dataset.id);
  }

  close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
    this.#input.value = this.#chosen ? this.#chosen.id : t("voice-auto");
  }

  #key(event) {
    const open = !this.#list.hidden;
    const last = this.#options.length - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!open) this.#open("");
      else this.#activate(this.#active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (open && event.key === "PageDown") this.#activate(this.#active + 8);
    else if (open && event.key === "PageUp") this.#activate(this.#active - 8);
    else if (open && event.key === "Home") this.#activate(0);
    else if (open && event.key === "End") this.#activate(last);
    else if (open && event.key === "Enter" && this.#active >= 0) this.#choose(this.#options[this.#active]);
    else if (open && event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }
}
