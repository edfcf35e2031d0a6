"""The page on which one tries the model."""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{model}</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; }
textarea, input { width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; }
button { font: inherit; padding: .5rem 1.5rem; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8885; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
#said { min-height: 1.5em; }
</style></head><body>
<h1>{model}</h1>
<form id="form">
<label for="texts">One text per line; Ctrl+Enter sends them</label>
<textarea id="texts" rows="5" autofocus></textarea>
<label for="token">Token, where the server asks for one</label>
<input id="token" type="password" autocomplete="off">
<button>Send</button> <span id="said" role="status" aria-live="polite"></span>
</form>
<table id="answers" hidden><thead><tr><th>Input</th><th>Output</th><th>Score</th></tr></thead><tbody></tbody></table>
<script>
const get = (id) => document.getElementById(id);
async function send(event) {
  event.preventDefault();
  const texts = get("texts").value.split("\\n").filter((line) => line.trim());
  if (!texts.length) { get("said").textContent = "type something first"; return; }
  const headers = {"Content-Type": "application/json"};
  if (get("token").value) headers.Authorization = "Bearer " + get("token").value;
  get("said").textContent = "...";
  const begun = performance.now();
  try {
    const reply = await fetch("/v1/models/{model}:predict", {method: "POST", headers, body: JSON.stringify({instances: texts})});
    const told = await reply.json();
    if (!reply.ok) throw new Error(told.error);
    const body = get("answers").tBodies[0];
    body.replaceChildren(...told.predictions.map((one, row) => {
      const line = document.createElement("tr");
      for (const [text, kind] of [[texts[row], ""], [one.text, ""], [one.scores.toFixed(3), "number"]]) {
        const cell = line.insertCell();
        cell.textContent = text; cell.className = kind;
      }
      return line;
    }));
    get("answers").hidden = false;
    get("said").textContent = Math.round(performance.now() - begun) + " ms";
  } catch (error) { get("said").textContent = error.message; }
}
get("form").addEventListener("submit", send);
get("texts").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event); });
</script></body></html>
"""
