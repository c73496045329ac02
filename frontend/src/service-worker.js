// Shows push messages, also when no page of Sigma is open. It caches nothing.
// A message that arrives twice has the same tag: it replaces the first one without a second signal.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let message = {};
  try {
    message = event.data?.json() ?? {};
  } catch {
    // Browsers demand that every push is shown: an unreadable one is shown without details.
  }
  const options = {
    body: message.body ?? "",
    tag: message.tag ?? "sigma",
    data: { url: message.url ?? "/" },
    icon: "/app/icon-192.png",
    badge: "/app/badge-96.png",
  };
  event.waitUntil(self.registration.showNotification(message.title ?? "Sigma", options));
});

// Open the page of the notification in an open window of Sigma, else in a new one.
async function open(address) {
  const url = new URL(address, self.location.origin);
  if (url.origin !== self.location.origin) return undefined;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  for (const one of windows) {
    if (new URL(one.url).origin !== url.origin) continue;
    await one.focus();
    return one.navigate(url.href).catch(() => self.clients.openWindow(url.href));
  }
  return self.clients.openWindow(url.href);
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.url));
});
