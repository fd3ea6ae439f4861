// What the page says, in English and Russian. t("key", {name: value}) fills {name}.

const WORDS = {
  en: {
    skip: "Skip to the content", parts: "Parts of this page", api: "API",
    speak: "Speak", listen: "Listen", voices: "Voices", engines: "Engines", requests: "Requests",
    "speak-title": "What shall I say?", text: "Text", "text-placeholder": "Type or paste a text…",
    voice: "Voice", "voice-search": "Search voices", "voice-auto": "By the language of the text", "voice-none": "No voice is called so.",
    speaker: "Speaker", "speaker-auto": "The first", speed: "Speed", style: "Style",
    "style-placeholder": "Calmly, whispering… (some engines can)",
    say: "Speak", stop: "Stop", shortcut: "Ctrl + Enter", waveform: "Waveform", again: "Play again", format: "Format", download: "Download",
    first: "First audio", factor: "Real-time factor", length: "Length", "no-text": "Type a text first.",
    "speak-waits": "Waiting for the voice…", "speak-plays": "Speaking…", "speak-done": "Spoken.", "speak-stopped": "Stopped.",
    "speak-nothing": "There was nothing to say.", "download-waits": "Making the file…", "download-done": "The file is ready.",
    "broke-off": "The server broke off in the middle of the audio; its log says why.",
    "listen-title": "What was said?", spoken: "Language", record: "Start listening", "record-stop": "Stop listening", level: "Level of the microphone",
    drop: "Drop a recording here, or choose one", "drop-kinds": "WAV, MP3, M4A, Ogg, Opus, WebM, FLAC",
    uploading: "Uploading {name}…", recognising: "Recognising {name}…", "listen-done": "Done.", "listen-stopped": "Stopped.", "listen-nothing": "Nothing was understood.",
    "listen-live": "Listening: speak.", "listen-finishing": "Finishing…", "heard-facts": "{length} of audio in {took}", cancel: "Cancel", copy: "Copy", copied: "Copied.", times: "With times",
    insecure: "The browser gives the microphone only to pages over https, or on this machine itself (localhost). Over plain http a recording can be chosen instead.",
    "no-device": "The browser has no microphone to offer.", "not-allowed": "The microphone is not allowed: allow it in the browser's settings for this page.",
    "nobody-listens": "No engine that listens is installed. The Engines page has the commands.",
    preview: "Play {name}", "stop-preview": "Stop {name}", choose: "Use", "choose-name": "Use {name}", "voices-none": "No voice is called so.",
    "voices-empty": "No voice is installed. The Engines page has the commands.",
    "make-title": "Make a voice of your own", "make-hint": "From 5 to 15 seconds of one person's clear speech, without music. Ask whoever it belongs to.",
    "make-name": "Name", "make-file": "Recording", "make-description": "or a voice in words", "make-description-placeholder": "An old man, slow and warm…",
    "make-text": "What the recording says, word for word", "make-go": "Make it", "make-recognising": "Recognising what it says…", "make-confirm": "Correct the text if it is not right.",
    "make-write": "Type what the recording says.", "make-nothing": "Choose a recording first.", "make-waits": "Making the voice…", made: "{name} can speak now.",
    remove: "Remove", "remove-name": "Remove {name}", "remove-sure": "Remove the voice {name} for good?", removed: "{name} is removed.",
    unavailable: "not set up", cold: "asleep", loading: "loading", ready: "ready", busy: "busy", tts: "speaks", asr: "listens", remote: "elsewhere",
    workers: "Workers", memory: "Memory", waiting: "Waiting", languages: "Languages", unload: "Unload", "unload-name": "Unload {name}", unloaded: "{name} is being unloaded.", run: "Run:",
    "requests-title": "Recent requests", "requests-hint": "What was said or heard is shown only if you switch that on (bridge.recent_texts).", "requests-none": "No requests yet.",
    when: "When", what: "What", engine: "Engine", who: "Voice", "first-short": "first", "total-short": "total", "audio-short": "audio", outcome: "Outcome",
    ok: "done", cancelled: "cancelled", running: "under way",
    "door-title": "This server wants a token", "door-hint": "It is one of auth.tokens in the server's config.yml. It stays in this browser.",
    token: "Token", enter: "Come in", "token-wrong": "The server does not know this token.",
    unreachable: "The server does not answer. Trying again…", "theme-auto": "Theme: as the system", "theme-light": "Theme: light", "theme-dark": "Theme: dark",
    seconds: "{n} s", milliseconds: "{n} ms",
  },
  ru: {
    skip: "К содержанию", parts: "Части страницы", api: "API",
    speak: "Речь", listen: "Слух", voices: "Голоса", engines: "Движки", requests: "Запросы",
    "speak-title": "Что сказать?", text: "Текст", "text-placeholder": "Введите или вставьте текст…",
    voice: "Голос", "voice-search": "Найти голос", "voice-auto": "По языку текста", "voice-none": "Такого голоса нет.",
    speaker: "Диктор", "speaker-auto": "Первый", speed: "Скорость", style: "Манера",
    "style-placeholder": "Спокойно, шёпотом… (умеют не все)",
    say: "Сказать", stop: "Стоп", shortcut: "Ctrl + Enter", waveform: "Форма звука", again: "Ещё раз", format: "Формат", download: "Скачать",
    first: "Первый звук", factor: "Доля реального времени", length: "Длительность", "no-text": "Сначала введите текст.",
    "speak-waits": "Голос готовится…", "speak-plays": "Говорю…", "speak-done": "Сказано.", "speak-stopped": "Остановлено.",
    "speak-nothing": "Говорить было нечего.", "download-waits": "Файл готовится…", "download-done": "Файл готов.",
    "broke-off": "Сервер прервал звук на середине; причина — в его журнале.",
    "listen-title": "Что было сказано?", spoken: "Язык", record: "Начать слушать", "record-stop": "Закончить", level: "Уровень микрофона",
    drop: "Перетащите запись сюда или выберите её", "drop-kinds": "WAV, MP3, M4A, Ogg, Opus, WebM, FLAC",
    uploading: "Отправляю {name}…", recognising: "Распознаю {name}…", "listen-done": "Готово.", "listen-stopped": "Остановлено.", "listen-nothing": "Ничего не разобрать.",
    "listen-live": "Слушаю: говорите.", "listen-finishing": "Заканчиваю…", "heard-facts": "{length} записи за {took}", cancel: "Отмена", copy: "Копировать", copied: "Скопировано.", times: "По времени",
    insecure: "Браузер даёт микрофон только страницам по https или на самой этой машине (localhost). По обычному http можно выбрать готовую запись.",
    "no-device": "У браузера нет микрофона.", "not-allowed": "Микрофон запрещён: разрешите его для этой страницы в настройках браузера.",
    "nobody-listens": "Не установлен ни один движок распознавания. Команды — на странице «Движки».",
    preview: "Послушать {name}", "stop-preview": "Остановить {name}", choose: "Выбрать", "choose-name": "Выбрать {name}", "voices-none": "Такого голоса нет.",
    "voices-empty": "Не установлен ни один голос. Команды — на странице «Движки».",
    "make-title": "Сделать свой голос", "make-hint": "От 5 до 15 секунд чистой речи одного человека, без музыки. Спросите того, чей это голос.",
    "make-name": "Имя", "make-file": "Запись", "make-description": "или голос словами", "make-description-placeholder": "Пожилой мужчина, говорит медленно и тепло…",
    "make-text": "Что сказано на записи, слово в слово", "make-go": "Сделать", "make-recognising": "Распознаю, что сказано…", "make-confirm": "Поправьте текст, если он неверен.",
    "make-write": "Введите, что сказано на записи.", "make-nothing": "Сначала выберите запись.", "make-waits": "Делаю голос…", made: "{name} теперь говорит.",
    remove: "Удалить", "remove-name": "Удалить {name}", "remove-sure": "Удалить голос {name} навсегда?", removed: "Голос {name} удалён.",
    unavailable: "не настроен", cold: "спит", loading: "загружается", ready: "готов", busy: "занят", tts: "говорит", asr: "слушает", remote: "на другой машине",
    workers: "Процессы", memory: "Память", waiting: "В очереди", languages: "Языки", unload: "Выгрузить", "unload-name": "Выгрузить {name}", unloaded: "{name} выгружается.", run: "Команда:",
    "requests-title": "Последние запросы", "requests-hint": "Что сказано и услышано, видно, только если это включить (bridge.recent_texts).", "requests-none": "Запросов ещё не было.",
    when: "Когда", what: "Что", engine: "Движок", who: "Голос", "first-short": "начало", "total-short": "всего", "audio-short": "звук", outcome: "Итог",
    ok: "готово", cancelled: "отменён", running: "идёт",
    "door-title": "Этому серверу нужен токен", "door-hint": "Один из auth.tokens в config.yml сервера. Он останется в этом браузере.",
    token: "Токен", enter: "Войти", "token-wrong": "Сервер не знает такого токена.",
    unreachable: "Сервер не отвечает. Пробую ещё…", "theme-auto": "Тема: как в системе", "theme-light": "Тема: светлая", "theme-dark": "Тема: тёмная",
    seconds: "{n} с", milliseconds: "{n} мс",
  },
};

export let language = localStorage.getItem("language") || (navigator.languages.some((one) => one.startsWith("ru")) ? "ru" : "en");

export function t(key, values = {}) {
  const text = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Write every text of the page anew, and tell the parts that write their own. */
export function speakLanguage(chosen) {
  language = chosen in WORDS ? chosen : "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-placeholder]")) element.placeholder = t(element.dataset.tPlaceholder);
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
  document.dispatchEvent(new Event("language"));
}

export function languageName(tag) {
  try {
    const name = new Intl.DisplayNames([language], { type: "language" }).of(tag);
    return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
  } catch {
    return tag; // an engine's own idea of a language
  }
}

export function number(value, digits) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

/** 85 ms, 1.4 s, 2:05 */
export function duration(seconds) {
  if (seconds < 1) return t("milliseconds", { n: Math.round(seconds * 1000) });
  return seconds < 60 ? t("seconds", { n: number(seconds, 1) }) : clock(seconds);
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(":")}` : parts.join(":");
}

export function size(bytes) {
  const big = bytes >= 2 ** 30;
  const unit = big ? "gigabyte" : "megabyte";
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: big ? 1 : 0 }).format(bytes / 2 ** (big ? 30 : 20));
}
