// A voice of one's own: of a recording, whose text is recognised and shown to be corrected, or of a description.

import { $, tell } from "./element.js";
import { ServerError, askJson } from "./server.js";
import { t } from "./words.js";

/** Offer what some engine can: "clone", "design". */
export function showMaking(makes) {
  $("make").hidden = !makes.length;
  $("make-from-recording").hidden = !makes.includes("clone");
  $("make-from-words").hidden = !makes.includes("design");
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) if (value) body.append(name, value);
  return body;
}

$("make-file").addEventListener("change", async () => {
  const file = $("make-file").files[0];
  $("make-text-field").hidden = !file;
  $("make-text").value = "";
  if (!file) return;
  tell($("make-status"), t("make-recognising"));
  try {
    const { raw_text: text } = await askJson("stt", { method: "POST", body: form({ file }) });
    if ($("make-file").files[0] !== file || $("make-text").value) return;
    $("make-text").value = text; // as it was said: digits and corrections are for readers
    tell($("make-status"), t("make-confirm"));
  } catch {
    tell($("make-status"), t("make-write")); // nobody hears this language here: whoever made the recording knows
  }
});

$("make-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = $("make-file").files[0];
  const name = $("make-name").value.trim();
  const description = file ? "" : $("make-description").value.trim();
  if (!file && !description) return tell($("make-status"), t("make-nothing"), true);
  $("make-go").disabled = true;
  tell($("make-status"), t("make-waits"));
  try {
    await askJson("voices", { method: "POST", body: form({ name, file, text: file && $("make-text").value.trim(), description }) });
    $("make-form").reset();
    $("make-text-field").hidden = true;
    tell($("make-status"), t("made", { name }));
    document.dispatchEvent(new Event("voices"));
  } catch (error) {
    tell($("make-status"), error instanceof ServerError ? error.message : t("unreachable"), true);
  }
  $("make-go").disabled = false;
});
