// A front end that uses passkeys with @simplewebauthn/browser and keeps its tokens in cookies. `?api=` is the service,
// `?autofill` offers passkeys beside the name field (conditional UI).
import { startAuthentication, startRegistration } from "./passkeys/index.js";

const asked = new URLSearchParams(location.search);
const told = document.getElementById("told");

async function call(method, path, body) {
  const csrf = document.cookie.match(/csrf_token=([^;]+)/)?.[1];
  const answer = await fetch(asked.get("api") + path, {
    method,
    credentials: "include",
    headers: {
      "X-Auth-Transport": "cookie",
      ...(body && { "Content-Type": "application/json" }),
      ...(csrf && { "X-CSRF-Token": csrf }),
    },
    body: body && JSON.stringify(body),
  });
  return { ok: answer.ok, ...(await answer.json()) };
}

async function signInWithPassword() {
  const [identifier, password] = ["identifier", "secret"].map((id) => document.getElementById(id).value);
  const answer = await call("POST", "/auth/login", { identifier, password });
  return answer.code === "mfa_required" ? signInWithPasskey(answer.mfa_token) : tell(answer, "Signed in");
}

async function signInWithPasskey(mfaToken, useBrowserAutofill = false) {
  const waiting = mfaToken ? { mfa_token: mfaToken } : {};
  const optionsJSON = await call("POST", "/auth/passkeys/login/options", waiting);
  const credential = await startAuthentication({ optionsJSON, useBrowserAutofill });
  const answer = await call("POST", "/auth/passkeys/login/verify", { ...waiting, credential });
  return tell(answer, mfaToken ? "Signed in with both" : "Signed in with a passkey");
}

async function register() {
  const optionsJSON = await call("POST", "/auth/passkeys/register/options", {});
  const credential = await startRegistration({ optionsJSON });
  const answer = await call("POST", "/auth/passkeys/register/verify", { credential, name: "Browser" });
  return tell(answer, "Passkey added");
}

async function who() {
  const answer = await call("GET", "/auth/protected");
  return tell(answer, `You are ${answer.logged_in_as}`);
}

function tell(answer, done) {
  told.textContent = answer.ok ? done : answer.code;
}

function when(id, act) {
  document.getElementById(id).addEventListener("click", (event) => {
    event.preventDefault();
    told.textContent = "";
    act().catch((error) => (told.textContent = `${error.name}: ${error.message}`));
  });
}

when("sign-in", signInWithPassword);
when("register", register);
when("passkey", () => signInWithPasskey());
when("who", who);
if (asked.has("autofill")) {
  signInWithPasskey(undefined, true).catch((error) => (told.textContent = `${error.name}: ${error.message}`));
}
