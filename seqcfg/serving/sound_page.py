"""The page on which one speaks to the model: files that are chosen or dropped, and the microphone."""

from seqcfg.serving.page import TOKEN, page_of

STYLE = """
#drop { border: 2px dashed #8888; border-radius: .5rem; padding: 0 1rem 1rem; }
#drop.over { border-color: currentColor; }
"""
BODY = f"""
<div id="drop">
<label for="files">Choose sounds, or drop them here</label>
<input id="files" type="file" accept="audio/*" multiple>
</div>
<button id="record" type="button">Record</button> <span id="said" role="status" aria-live="polite"></span>
<form id="form">
{TOKEN}
</form>
"""
SCRIPT = """
const RATE = {rate};
let recorder = null;

function asWav(sound) {  // 16 bits, one channel
  const view = new DataView(new ArrayBuffer(44 + 2 * sound.length));
  const put = (place, text) => [...text].forEach((one, at) => view.setUint8(place + at, one.charCodeAt(0)));
  put(0, "RIFF"); view.setUint32(4, 36 + 2 * sound.length, true); put(8, "WAVEfmt "); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, sound.sampleRate, true);
  view.setUint32(28, 2 * sound.sampleRate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  put(36, "data"); view.setUint32(40, 2 * sound.length, true);
  const channels = Array.from({length: sound.numberOfChannels}, (_, number) => sound.getChannelData(number));
  for (let at = 0; at < sound.length; at++) {
    const mean = channels.reduce((sum, one) => sum + one[at], 0) / channels.length;
    view.setInt16(44 + 2 * at, Math.round(32767 * Math.max(-1, Math.min(1, mean))), true);
  }
  return view.buffer;
}

async function readable(blob) {  // WAV, FLAC and Ogg Vorbis as they are; what else the browser knows (mp3, m4a, webm, Opus) as WAV
  const data = await blob.arrayBuffer(), head = String.fromCharCode(...new Uint8Array(data, 0, Math.min(4, data.byteLength)));
  if (["RIFF", "fLaC", "OggS"].includes(head)) return data;
  try {
    return asWav(await new OfflineAudioContext(1, 1, RATE).decodeAudioData(data));
  } catch (error) { throw new Error("this browser reads no such sound"); }
}

function base64(data) {
  const bytes = new Uint8Array(data), parts = [];
  for (let at = 0; at < bytes.length; at += 32768) parts.push(String.fromCharCode(...bytes.subarray(at, at + 32768)));
  return btoa(parts.join(""));
}

async function hear(name, blob) {
  try {
    const [one] = await ask(async () => [{b64: base64(await readable(blob))}]);
    get("answers").tBodies[0].prepend(row(name, one));
  } catch (error) { say(name + ": " + error.message); }
}

async function hearAll(files) { for (const file of files) await hear(file.name, file); }

async function record() {
  if (recorder) { recorder.stop(); return; }
  if (!navigator.mediaDevices) { say("browsers give the microphone to localhost and https alone"); return; }
  get("record").disabled = true;  // until the user has allowed it or not
  try {
    const stream = await navigator.mediaDevices.getUserMedia({audio: {channelCount: 1}}), parts = [];
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("stop", async () => {
      stream.getTracks().forEach((track) => track.stop());
      const sound = new Blob(parts, {type: recorder.mimeType});
      recorder = null;
      get("record").textContent = "Record";
      try {
        await hear("microphone", await asWavBlob(sound));
      } catch (error) { say("nothing was recorded"); }
    });
    recorder.start();
    get("record").textContent = "Stop";
    say("listening");
  } catch (error) { say("no microphone: " + error.message); }
  get("record").disabled = false;
}

async function asWavBlob(sound) {  // browsers record compressed, some of them into Ogg: the server gets WAV
  const data = await sound.arrayBuffer();
  return new Blob([asWav(await new OfflineAudioContext(1, 1, RATE).decodeAudioData(data))]);
}

get("record").addEventListener("click", record);
get("form").addEventListener("submit", (event) => event.preventDefault());
get("files").addEventListener("change", () => hearAll([...get("files").files]));
for (const kind of ["dragover", "dragleave", "drop"]) get("drop").addEventListener(kind, (event) => {
  event.preventDefault();
  get("drop").classList.toggle("over", kind === "dragover");
  if (kind === "drop") hearAll([...event.dataTransfer.files]);
});
"""
SOUND_PAGE = page_of(BODY, SCRIPT, "Sound", "Text", STYLE)
