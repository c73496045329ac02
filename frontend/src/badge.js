// The number of unread conversations in the title and on the icon of the tab and of the installed
// app, and a sound when it grows. Shared by all pages of the cabinet and by the live inbox.

import { AUTOMATIC } from "./automatic_requests.js";

const POLL_MS = 60_000;
const ICON_SIZE = 64;
const MAX_SHOWN = 99;

const pageTitle = document.title;
const icon = () => document.querySelector("link[data-favicon]");

let shownCount = 0;
let hasSound = false;
let plainIcon = "";

const toNumber = (text) => Number.parseInt(text, 10) || 0; // "99+" is 99

function drawIcon(count) {
  const link = icon();
  if (!link) return;
  plainIcon ||= link.getAttribute("href");
  if (!count) {
    link.type = "image/svg+xml";
    link.href = plainIcon;
    return;
  }
  const image = new Image();
  image.addEventListener("load", () => {
    if (count !== shownCount) return; // another number meanwhile
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = ICON_SIZE;
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0, ICON_SIZE, ICON_SIZE);
    pen.fillStyle = "#c62828";
    pen.beginPath();
    pen.arc(44, 20, 20, 0, 2 * Math.PI);
    pen.fill();
    pen.fillStyle = "#fff";
    pen.font = `700 ${count > 9 ? 22 : 30}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(count > MAX_SHOWN ? "99" : String(count), 44, 21);
    link.type = "image/png";
    link.href = canvas.toDataURL("image/png");
  });
  image.src = plainIcon;
}

// Two short tones. Browsers allow them only after the person has clicked somewhere on the page.
function playSound() {
  try {
    const audio = new AudioContext();
    const gain = audio.createGain();
    gain.gain.value = 0.08;
    gain.connect(audio.destination);
    [660, 880].forEach((frequency, n) => {
      const tone = audio.createOscillator();
      tone.frequency.value = frequency;
      tone.connect(gain);
      tone.start(audio.currentTime + n * 0.15);
      tone.stop(audio.currentTime + n * 0.15 + 0.12);
    });
    setTimeout(() => audio.close(), 1000);
    document.documentElement.dataset.soundsPlayed = String(toNumber(document.documentElement.dataset.soundsPlayed) + 1);
  } catch {
    // no sound device
  }
}

// Show the number everywhere. `text`: a number or "99+"; empty: none.
export function showUnread(text) {
  const count = toNumber(text);
  document.title = count ? `(${text}) ${pageTitle}` : pageTitle;
  if (count === shownCount) return;
  if (count > shownCount && hasSound) playSound();
  shownCount = count;
  drawIcon(count);
  if (count) navigator.setAppBadge?.(count).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
}

async function poll(url) {
  const response = await fetch(url, { headers: { accept: "application/json", ...AUTOMATIC } }).catch(() => null);
  if (!response?.ok || response.redirected) return;
  const { unread, sound } = await response.json();
  hasSound = sound;
  const text = unread > MAX_SHOWN ? "99+" : String(unread || "");
  const menu = document.getElementById("unread");
  if (menu) {
    menu.hidden = !text;
    menu.querySelector("b").textContent = text;
  }
  showUnread(text);
}

function start() {
  const url = document.querySelector("[data-unread-url]")?.dataset.unreadUrl;
  if (!url) return;
  showUnread(document.querySelector("#unread b")?.textContent ?? "");
  poll(url);
  setInterval(() => poll(url), POLL_MS);
}

document.addEventListener("DOMContentLoaded", start);
