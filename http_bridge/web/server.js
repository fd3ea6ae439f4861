// The server beside this page: addresses relative to it, the token, errors as the server's own sentence.

export class ServerError extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export function address(path) {
  return new URL(path, document.baseURI);
}

export function socketAddress(path) {
  const url = address(path);
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

let token = localStorage.getItem("token") || "";

export function keepToken(value) {
  token = value;
  if (value) localStorage.setItem("token", value);
  else localStorage.removeItem("token");
}

export function hasToken() {
  return Boolean(token);
}

export function authorization() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Open a WebSocket. Browsers send no headers with one: the token goes as a subprotocol, or as a query where it has other characters. */
export function openSocket(path) {
  const url = socketAddress(path);
  if (!token) return new WebSocket(url);
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(token)) return new WebSocket(url, ["token", token]);
  url.searchParams.set("token", token);
  return new WebSocket(url);
}

/** Say what a reply that is an error means; asks for a token where that is what is missing. */
export function problemOf(status, body) {
  if (status === 401) document.dispatchEvent(new Event("unauthorized"));
  let message;
  try {
    message = JSON.parse(body).error.message;
  } catch {
    message = `${status}`; // a proxy in between speaks in its own way
  }
  return new ServerError(message, status);
}

export async function ask(path, { headers, ...options } = {}) {
  const reply = await fetch(address(path), { ...options, headers: { ...authorization(), ...headers } });
  if (!reply.ok) throw problemOf(reply.status, await reply.text());
  return reply;
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

export function postJson(path, content, options = {}) {
  return ask(path, { ...options, method: "POST", body: JSON.stringify(content), headers: { "Content-Type": "application/json" } });
}
