// Comfort on the card page: groups of four, the payment system's name, the slash, test cards by a tap.
// Everything is checked by the server; without this file the page works the same.
(() => {
  const number = document.getElementById("number");
  const expiry = document.getElementById("expiry");
  const csc = document.getElementById("csc");
  const brand = document.getElementById("brand");
  const english = document.documentElement.lang === "en";
  const brands = [
    [/^220[0-4]/, english ? "Mir" : "Мир"],
    [/^4/, "Visa"],
    [/^5[1-5]/, "Mastercard"],
  ];

  const digits = (text) => text.replace(/\D/g, "");

  // Rewrites the field and keeps the caret after the same digit.
  const rewrite = (field, format) => {
    const before = digits(field.value.slice(0, field.selectionStart)).length;
    const text = format(digits(field.value));
    if (text === field.value) return;
    field.value = text;
    let place = 0;
    for (let seen = 0; place < text.length && seen < before; place += 1) {
      if (/\d/.test(text[place])) seen += 1;
    }
    if (before === digits(text).length) place = text.length;
    field.setSelectionRange(place, place);
  };

  const showBrand = () => {
    const found = brands.find(([prefix]) => prefix.test(digits(number.value)));
    brand.textContent = found ? found[1] : "";
    brand.hidden = !found;
  };

  const formatNumber = () => {
    rewrite(number, (text) => text.slice(0, 19).replace(/(\d{4})(?=\d)/g, "$1 "));
    showBrand();
  };

  const formatExpiry = (event) => {
    if (event && event.inputType === "deleteContentBackward") return;
    rewrite(expiry, (text) => {
      const padded = /^[2-9]/.test(text) ? `0${text}` : text;
      const year = padded.length === 6 ? padded.slice(4) : padded.slice(2, 4);
      return padded.length < 2 ? padded : `${padded.slice(0, 2)}/${year}`;
    });
    if (expiry.value.length === 5 && document.activeElement === expiry) csc.focus();
  };

  number.addEventListener("input", formatNumber);
  expiry.addEventListener("input", formatExpiry);
  csc.addEventListener("input", () => rewrite(csc, (text) => text.slice(0, 3)));

  document.getElementById("test-cards").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-number]");
    if (!button) return;
    number.value = button.dataset.number;
    expiry.value = `12/${String(new Date().getFullYear() + 2).slice(2)}`;
    csc.value = "123";
    showBrand();
    document.querySelector("button.primary").focus();
    window.scrollTo({ top: 0 });
  });

  formatNumber();
  const wrong = document.querySelector("[aria-invalid]");
  if (wrong) wrong.focus();

  document.querySelector("form.card-form").addEventListener("submit", (event) => {
    const button = event.currentTarget.querySelector("button.primary");
    setTimeout(() => { button.disabled = true; });
    addEventListener("pageshow", () => { button.disabled = false; }, { once: true });
  });
})();
