// What is typed and not sent yet, stored for the tab and encrypted: replies have names, phones and
// addresses of clients. The key is in the pages of the signed-in user only, so that nobody else can
// read what is left in the storage. Without WebCrypto (plain http) nothing is stored.

const NONCE_BYTES = 12;

const fromHex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const toBytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

let importedKey = null;
let writing = Promise.resolve();

function importKey(hex) {
  importedKey ??= crypto.subtle?.importKey("raw", fromHex(hex), "AES-GCM", false, ["encrypt", "decrypt"]);
  return importedKey;
}

// Bound to its place: a ciphertext that is copied to another conversation does not open.
const algorithm = (iv, place) => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode(place) });

// Store `content`, or remove what is stored when it is null. Writes are made in their order.
export function store(place, hexKey, content) {
  writing = writing.then(() => write(place, hexKey, content)).catch(() => sessionStorage.removeItem(place));
  return writing;
}

async function write(place, hexKey, content) {
  const key = await importKey(hexKey);
  if (!key || content === null) return sessionStorage.removeItem(place);
  const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const encrypted = await crypto.subtle.encrypt(
    algorithm(iv, place),
    key,
    new TextEncoder().encode(JSON.stringify(content)),
  );
  sessionStorage.setItem(place, `${toText(iv)}.${toText(encrypted)}`);
}

// Returns what was stored, or null; what cannot be decrypted is removed.
export async function load(place, hexKey) {
  const stored = sessionStorage.getItem(place);
  const key = stored && (await importKey(hexKey));
  if (!key) return null;
  try {
    const [iv, encrypted] = stored.split(".").map(toBytes);
    const decrypted = await crypto.subtle.decrypt(algorithm(iv, place), key, encrypted);
    return JSON.parse(new TextDecoder().decode(decrypted));
  } catch {
    sessionStorage.removeItem(place);
    return null;
  }
}
