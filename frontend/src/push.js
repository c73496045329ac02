// Browser push: register the service worker, subscribe, put the subscription into the form, send it.
// https://www.w3.org/TR/push-api/

const WORKER = "/service-worker.js";

function toBytes(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

async function subscribe(key) {
  const registration = await navigator.serviceWorker.register(WORKER);
  await navigator.serviceWorker.ready;
  const options = { userVisibleOnly: true, applicationServerKey: toBytes(key) };
  try {
    return await registration.pushManager.subscribe(options);
  } catch (error) {
    // A subscription for another key of this server: it is void.
    const old = await registration.pushManager.getSubscription();
    if (error.name !== "InvalidStateError" || !old) throw error;
    await old.unsubscribe();
    return registration.pushManager.subscribe(options);
  }
}

async function start(button) {
  const form = button.form;
  const note = document.querySelector("[data-push-error]");
  const fail = (text) => {
    note.textContent = text;
    note.hidden = false;
  };
  note.hidden = true;
  if (!("serviceWorker" in navigator) || !("PushManager" in window)) return fail(form.dataset.pushUnsupported);
  button.disabled = true;
  try {
    if ((await Notification.requestPermission()) !== "granted") return fail(form.dataset.pushDenied);
    const { endpoint, keys } = (await subscribe(form.dataset.push)).toJSON();
    form.elements.endpoint.value = endpoint;
    form.elements.p256dh.value = keys.p256dh;
    form.elements.auth.value = keys.auth;
    form.submit();
  } catch {
    fail(form.dataset.pushFailed);
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-push-start]");
  if (button) start(button);
});
