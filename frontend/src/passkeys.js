// Passkeys (WebAuthn): fetch the options, ask the browser, put its answer into the form and send it.
// https://www.w3.org/TR/webauthn-3/

function toBytes(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function toText(buffer) {
  const binary = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// Browsers before 2025 lack PublicKeyCredential.parse…OptionsFromJSON() and toJSON().
function decodeOptions(options) {
  const list = (items) => (items ?? []).map((item) => ({ ...item, id: toBytes(item.id) }));
  const decoded = { ...options, challenge: toBytes(options.challenge) };
  if (options.user) decoded.user = { ...options.user, id: toBytes(options.user.id) };
  if (options.excludeCredentials) decoded.excludeCredentials = list(options.excludeCredentials);
  if (options.allowCredentials) decoded.allowCredentials = list(options.allowCredentials);
  return decoded;
}

function encodeCredential(credential) {
  const { response } = credential;
  const encoded = { clientDataJSON: toText(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) encoded[name] = toText(response[name]);
  }
  if (response.getTransports) encoded.transports = response.getTransports();
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response: encoded };
}

async function askBrowser(kind, url) {
  const answer = await fetch(url, { headers: { accept: "application/json" } });
  if (!answer.ok || answer.redirected) throw new Error(`options: ${answer.status}`);
  const { options, ticket } = await answer.json();
  const publicKey = decodeOptions(JSON.parse(options));
  const credential =
    kind === "create" ? await navigator.credentials.create({ publicKey }) : await navigator.credentials.get({ publicKey });
  return { credential: encodeCredential(credential), ticket };
}

function errorText(form, error) {
  const texts = form.dataset;
  if (!window.PublicKeyCredential) return texts.passkeyUnsupported;
  if (error.name === "SecurityError") return texts.passkeyHost;
  if (error.name === "InvalidStateError") return texts.passkeyKnown;
  return texts.passkeyCancelled;
}

async function start(button) {
  const form = button.form;
  const note = form.querySelector("[data-passkey-error]");
  note.hidden = true;
  button.disabled = true;
  try {
    const { credential, ticket } = await askBrowser(form.dataset.passkey, form.dataset.passkeyOptions);
    form.querySelector("[data-passkey-credential]").value = JSON.stringify(credential);
    form.querySelector("[data-passkey-ticket]").value = ticket;
    form.submit();
  } catch (error) {
    note.textContent = errorText(form, error);
    note.hidden = false;
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-passkey-start], [data-print]");
  if (!button) return;
  if ("print" in button.dataset) window.print();
  else start(button);
});

// Enter in the name of a new passkey must not send the form without an answer of the browser.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-passkey]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  start(event.target.querySelector("[data-passkey-start]"));
}, true);
