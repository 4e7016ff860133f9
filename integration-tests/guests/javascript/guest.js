// What anybody would write: a fetch event, answered with what the request said.

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/throw") throw new Error("asked to");
  const body = { method: request.method, path: pathname, text: await request.text() };
  return new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } });
}
