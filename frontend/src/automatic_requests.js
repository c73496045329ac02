// Header of requests that an open page sends by itself: they do not keep an idle session alive.
export const AUTOMATIC = { "X-Automatic-Request": "1" };
