"""The page on which one tries the model; and what all pages have in common."""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; }
textarea, input { width: 100%; box-sizing: border-box; font: inherit; padding: .5rem; }
button { font: inherit; padding: .5rem 1.5rem; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8885; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
#said { min-height: 1.5em; }
"""
TOKEN = """<label for="token">Token, where the server asks for one</label>
<input id="token" type="password" autocomplete="off">"""
ASKING = """
const get = (id) => document.getElementById(id);
const say = (text) => { get("said").textContent = text; };

async function ask(instances) {  // the predictions for what a function makes; throws what is wrong
  const headers = {"Content-Type": "application/json"};
  if (get("token").value) headers.Authorization = "Bearer " + get("token").value;
  say("...");
  const begun = performance.now();
  const body = JSON.stringify({instances: await instances()});
  const reply = await fetch("/v1/models/{model}:predict", {method: "POST", headers, body});
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.error);
  get("answers").hidden = false;
  say(Math.round(performance.now() - begun) + " ms");
  return told.predictions;
}

function row(input, one) {
  const line = document.createElement("tr");
  for (const [text, kind] of [[input, ""], [one.text, ""], [one.scores.toFixed(3), "number"]]) {
    const cell = line.insertCell();
    cell.textContent = text; cell.className = kind;
  }
  return line;
}
"""


def page_of(body: str, script: str, given: str, found: str, style: str = "") -> str:
    """A page with {model} for the model's name; its table has the columns `given`, `found` and scores."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{model}}</title>
<style>{STYLE}{style}</style></head><body>
<h1>{{model}}</h1>
{body.strip()}
<table id="answers" hidden><thead><tr><th>{given}</th><th>{found}</th><th>Score</th></tr></thead><tbody></tbody></table>
<script>{ASKING}{script}</script></body></html>
"""


BODY = f"""
<form id="form">
<label for="texts">One text per line; Ctrl+Enter sends them</label>
<textarea id="texts" rows="5" autofocus></textarea>
{TOKEN}
<button>Send</button> <span id="said" role="status" aria-live="polite"></span>
</form>
"""
SCRIPT = """
async function send(event) {
  event.preventDefault();
  const texts = get("texts").value.split("\\n").filter((line) => line.trim());
  if (!texts.length) { say("type something first"); return; }
  try {
    const answers = await ask(async () => texts);
    get("answers").tBodies[0].replaceChildren(...answers.map((one, place) => row(texts[place], one)));
  } catch (error) { say(error.message); }
}
get("form").addEventListener("submit", send);
get("texts").addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event); });
"""
PAGE = page_of(BODY, SCRIPT, "Input", "Output")
