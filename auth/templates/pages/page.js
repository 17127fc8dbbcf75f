// The pages behind mailed links. Opening one changes nothing: the token leaves the address bar at once, stays in
// memory, and is posted when the person presses the button. Whatever is shown is set as text, never as markup.

const PAGES = {
  verify: { path: "email/verify" },
  reset: { path: "password/reset", choosesPassword: true },
  "magic-link": { path: "magic-link/verify", signsIn: true },
  "confirm-email": { path: "email/change/confirm" },
  "not-me": { path: "not-me" },
};

// As auth/fields.py has it. A password is not cut off: what a person pastes has to be what they keep.
const LONGEST_CODE = 32;

const ENGLISH = {
  verify: {
    title: "Confirm your address",
    about: "Confirm that the letter came to an address of yours. It works once.",
    press: "Confirm the address",
    done: "Your address is confirmed.",
  },
  reset: {
    title: "Choose a new password",
    about: "Every device will be signed out. Then sign in with the new password.",
    press: "Change the password",
    done: "Your password was changed. Please sign in with it.",
  },
  "magic-link": {
    title: "Sign in",
    about: "Sign in in this browser? If you did not ask for the link, close this page.",
    press: "Sign in",
    done: "You are signed in as {}.",
  },
  "confirm-email": {
    title: "Confirm your new address",
    about: "From then on your account uses the address that the letter came to.",
    press: "Use this address",
    done: "Your address was changed.",
  },
  "not-me": {
    title: "It was not me",
    about:
      "Every device will be signed out, and nobody can sign in until you have chosen a new password: a letter with a " +
      "link for it will follow. If the address of your account was changed, the one that this letter came to is back.",
    press: "It was not me",
    done: "Every device is signed out. A letter with a link to choose a new password is on its way.",
  },
  factor: {
    title: "One more step",
    about: "Your account is protected by a second factor.",
    press: "Go on",
    method: "Second factor",
    methods: { totp: "Authenticator app", sms: "Code by SMS", recovery_code: "Recovery code" },
    code: "Code",
    send: "Send me a code by SMS",
    sent: "A code is on its way.",
    passkey: "Use a passkey",
    passkeyFailed: "The passkey could not be used.",
  },
  password: "New password",
  showPassword: "Show the password",
  lost: "Please open the link in the letter again: this page does not keep it in its address, so that it stays secret.",
  close: "You can close this page.",
  wait: "Try again in {} seconds.",
  unreachable: "The service could not be reached. Please try again.",
  // The sentences of the service are English already.
  problems: {
    link_invalid: "This link is not valid any more. It works once, and not for long: please ask for a new one.",
  },
};

const GERMAN = {
  verify: {
    title: "Adresse bestätigen",
    about: "Bestätigen Sie, dass die E-Mail an eine Adresse von Ihnen ging. Das geht einmal.",
    press: "Adresse bestätigen",
    done: "Ihre Adresse ist bestätigt.",
  },
  reset: {
    title: "Neues Passwort wählen",
    about: "Jedes Gerät wird abgemeldet. Danach melden Sie sich mit dem neuen Passwort an.",
    press: "Passwort ändern",
    done: "Ihr Passwort wurde geändert. Bitte melden Sie sich damit an.",
  },
  "magic-link": {
    title: "Anmelden",
    about: "In diesem Browser anmelden? Wenn Sie den Link nicht angefordert haben, schließen Sie diese Seite.",
    press: "Anmelden",
    done: "Sie sind angemeldet als {}.",
  },
  "confirm-email": {
    title: "Neue Adresse bestätigen",
    about: "Von da an gilt für Ihr Konto die Adresse, an die diese E-Mail ging.",
    press: "Diese Adresse verwenden",
    done: "Ihre Adresse wurde geändert.",
  },
  "not-me": {
    title: "Ich war es nicht",
    about:
      "Jedes Gerät wird abgemeldet, und niemand kann sich anmelden, bis Sie ein neues Passwort gewählt haben: Eine " +
      "E-Mail mit einem Link dafür folgt. Wurde die Adresse Ihres Kontos geändert, gilt wieder die, an die diese ging.",
    press: "Ich war es nicht",
    done: "Jedes Gerät ist abgemeldet. Eine E-Mail mit einem Link für ein neues Passwort ist unterwegs.",
  },
  factor: {
    title: "Noch ein Schritt",
    about: "Ihr Konto ist durch einen zweiten Faktor geschützt.",
    press: "Weiter",
    method: "Zweiter Faktor",
    methods: { totp: "Authenticator-App", sms: "Code per SMS", recovery_code: "Wiederherstellungscode" },
    code: "Code",
    send: "Code per SMS schicken",
    sent: "Ein Code ist unterwegs.",
    passkey: "Passkey verwenden",
    passkeyFailed: "Der Passkey konnte nicht verwendet werden.",
  },
  password: "Neues Passwort",
  showPassword: "Passwort anzeigen",
  lost: "Bitte öffnen Sie den Link in der E-Mail noch einmal: Diese Seite behält ihn nicht, damit er geheim bleibt.",
  close: "Sie können diese Seite schließen.",
  wait: "Versuchen Sie es in {} Sekunden wieder.",
  unreachable: "Der Dienst ist nicht erreichbar. Bitte versuchen Sie es noch einmal.",
  problems: {
    link_invalid: "Dieser Link gilt nicht mehr. Er gilt nur einmal und nicht lange: Bitte fordern Sie einen neuen an.",
    code_invalid: "Dieser Code ist nicht gültig.",
    account_disabled: "Dieses Konto ist gesperrt.",
    account_locked: "Zu viele Versuche.",
    csrf_failed: "Die Anfrage kam nicht von einer erlaubten Seite.",
    email_not_verified: "Bitte bestätigen Sie zuerst Ihre Adresse.",
    email_taken: "Diese Adresse gehört inzwischen zu einem anderen Konto.",
    factor_unavailable: "Diese Methode wird hier nicht angeboten.",
    internal_error: "Bei uns ist etwas schiefgegangen.",
    invalid_credentials: "Die Anmeldung ist überholt. Bitte melden Sie sich neu an.",
    invalid_request: "Die Anfrage ist ungültig.",
    not_found: "Das gibt es hier nicht.",
    password_breached: "Das Passwort ist aus einem Datenleck eines anderen Dienstes bekannt.",
    password_common: "Das Passwort ist zu leicht zu erraten.",
    password_long: "Das Passwort darf höchstens {} Zeichen haben.",
    password_personal: "Das Passwort darf nicht aus Ihrem Namen, Ihrer Adresse oder dem Namen des Dienstes bestehen.",
    password_reset_required: "Bitte wählen Sie zuerst ein neues Passwort.",
    password_short: "Das Passwort muss mindestens {} Zeichen haben.",
    rate_limited: "Zu viele Anfragen.",
    string_too_long: "Das darf höchstens {} Zeichen haben.",
    unavailable: "Der Dienst ist ausgelastet. Bitte versuchen Sie es noch einmal.",
    username_taken: "Diesen Benutzernamen gibt es inzwischen schon.",
  },
};

const TEXTS = { en: ENGLISH, de: GERMAN };
const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => Object.hasOwn(TEXTS, tag)) ?? "en";
const words = TEXTS[language];
const service = document.title;
const name = location.pathname.split("/").pop();
const page = PAGES[name];

function begin() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  history.replaceState(null, "", location.pathname);
  if (token) {
    offer(token);
  } else {
    show(words[name].title, element("p", words.lost));
  }
}

// What is going to happen, and the button that makes it happen.
function offer(token) {
  const form = ask(words[name], page.choosesPassword ? passwordField() : [], async () => {
    const answer = await post(page.path, { token, ...values(form) });
    if (answer.ok) {
      await tellDone();
    } else if (answer.code === "mfa_required") {
      askFactor(answer.mfa_token, answer.methods);
    } else {
      refuse(form, answer);
    }
  });
}

// The second factor of a sign-in: a code, one that is sent first, or a passkey, whichever the person has.
function askFactor(mfaToken, methods) {
  const waiting = { mfa_token: mfaToken };
  const codes = methods.filter((method) => Object.hasOwn(words.factor.methods, method));
  const form = ask(words.factor, codes.length ? codeFields(codes) : [], () =>
    finish(form, "mfa/verify", { ...waiting, ...values(form) }),
  );
  if (!codes.length) {
    form.querySelector("[type=submit]").remove();
  }
  if (methods.includes("sms")) {
    offerBeside(form, words.factor.send, () => sendCode(form, waiting));
  }
  if (methods.includes("passkey")) {
    offerBeside(form, words.factor.passkey, () => usePasskey(form, waiting));
  }
}

function offerBeside(form, text, act) {
  const button = element("button", text, { type: "button", className: "second" });
  button.onclick = () => busy(form, act);
  form.append(button);
}

// The session that this browser may have has nothing to do with it, so its cookies stay out of it.
async function sendCode(form, waiting) {
  const answer = await post("mfa/sms/challenge", waiting, { credentials: "omit" });
  if (answer.ok) {
    form.elements.method.value = "sms";
    form.querySelector(".note").textContent = words.factor.sent;
    form.elements.code.focus();
  } else {
    refuse(form, answer);
  }
}

async function usePasskey(form, waiting) {
  const options = await post("passkeys/login/options", waiting);
  const credential = options.ok ? await assertion(options) : null;
  if (credential) {
    await finish(form, "passkeys/login/verify", { ...waiting, credential });
  } else if (options.ok) {
    complain(form, words.factor.passkeyFailed);
  } else {
    refuse(form, options);
  }
}

// What the person's authenticator says; null when there is none, or the person changes their mind.
async function assertion(options) {
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({ publicKey })).toJSON();
  } catch {
    return null;
  }
}

async function finish(form, path, body) {
  const answer = await post(path, body);
  if (answer.ok) {
    await tellDone();
  } else {
    refuse(form, answer);
  }
}

async function tellDone() {
  const who = page.signsIn ? await read("protected") : {};
  const done = fill(words[name].done, who.logged_in_as);
  show(words[name].title, element("p", done, { className: "good", role: "status" }), element("p", words.close));
}

// A field at fault is shown beside it, and what may pass with time below; after anything else there is no going on.
function refuse(form, problem) {
  const fault = problem.errors?.find((error) => form.elements.namedItem(error.field));
  const input = fault && form.elements.namedItem(fault.field);
  if (input) {
    complain(form, sentence(fault.code, capitalised(`${fault.field} ${fault.message}`)), input);
  } else if (problem.code === "code_invalid" && form.elements.code) {
    complain(form, sentence(problem.code, problem.message), form.elements.code);
  } else if (problem.status === 0 || problem.status === 429 || problem.status >= 500) {
    const pause = problem.retryAfter ? ` ${fill(words.wait, problem.retryAfter)}` : "";
    complain(form, sentence(problem.code, problem.message) + pause);
  } else {
    const told = sentence(problem.code, problem.message);
    show(words[name].title, element("p", told, { className: "wrong", role: "alert" }));
  }
}

function complain(form, text, input = null) {
  form.querySelector(".wrong").textContent = text;
  if (input) {
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
}

// The sentence in the person's language, the number that the service named in its place; or the service's own.
function sentence(code, message) {
  return Object.hasOwn(words.problems, code)
    ? fill(words.problems[code], message.match(/\d+/)?.[0])
    : message.replace(/[^.!?]$/, "$&.");
}

function fill(text, value) {
  return text.replace("{}", () => value ?? "");
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function ask(said, fields, send) {
  const form = element("form");
  const wrong = element("p", "", { className: "wrong", id: "wrong", role: "alert" });
  const note = element("p", "", { className: "note", role: "status" });
  form.append(...fields, wrong, note, element("button", said.press, { type: "submit" }));
  form.onsubmit = (event) => {
    event.preventDefault();
    busy(form, send);
  };
  show(said.title, element("p", said.about), form);
  return form;
}

// One press is one request.
async function busy(form, send) {
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => (button.disabled = true));
  complain(form, "");
  form.querySelector(".note").textContent = "";
  form.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
  await send();
  buttons.forEach((button) => (button.disabled = false));
}

function values(form) {
  return Object.fromEntries(new FormData(form));
}

function passwordField() {
  const made = field("password", words.password, "password", "new-password");
  const box = element("input", "", { type: "checkbox" });
  box.onchange = () => (made.at(-1).type = box.checked ? "text" : "password");
  const label = element("label", "", { className: "beside" });
  label.append(box, element("span", words.showPassword));
  return [...made, label];
}

function field(id, text, type, autocomplete) {
  const input = element("input", "", { id, name: id, type, autocomplete, required: true, autocapitalize: "none" });
  input.setAttribute("aria-describedby", "wrong");
  return [element("label", text, { htmlFor: id }), input];
}

// The code, and which factor it is from when there are several.
function codeFields(methods) {
  const [first, ...others] = methods;
  const label = others.length ? words.factor.code : `${words.factor.code}: ${words.factor.methods[first]}`;
  const only = element("input", "", { type: "hidden", name: "method", value: first });
  const typed = field("code", label, "text", "one-time-code");
  typed.at(-1).maxLength = LONGEST_CODE;
  return [...(others.length ? choice(methods) : [only]), ...typed];
}

function choice(methods) {
  const select = element("select", "", { id: "method", name: "method" });
  select.append(...methods.map((method) => element("option", words.factor.methods[method], { value: method })));
  return [element("label", words.factor.method, { htmlFor: "method" }), select];
}

// The heading is focused, so that a screen reader begins with what is new.
function show(title, ...parts) {
  const heading = element("h1", title, { tabIndex: -1 });
  document.title = `${title} · ${service}`;
  document.querySelector("main").replaceChildren(heading, ...parts);
  heading.focus();
}

function element(tag, text = "", properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

async function post(path, body, options = {}) {
  const headers = { "Content-Type": "application/json", ...(page.signsIn && { "X-Auth-Transport": "cookie" }) };
  return call(path, { method: "POST", headers, body: JSON.stringify(body), ...options });
}

async function read(path) {
  return call(path, {});
}

// What the service answers, with `ok`, `status` and `retryAfter`; whatever else comes is as if it could not be reached.
async function call(path, request) {
  try {
    const answer = await fetch(`../auth/${path}`, { ...request, redirect: "error" });
    const told = { ok: answer.ok, status: answer.status, retryAfter: answer.headers.get("Retry-After") };
    return { ...(await answer.json()), ...told };
  } catch {
    return { ok: false, status: 0, code: "unreachable", message: words.unreachable };
  }
}

document.documentElement.lang = language;
addEventListener("hashchange", begin);
begin();
