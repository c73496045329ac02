// What the payment page loads; the page works without it.
document.documentElement.classList.add("has-script");
