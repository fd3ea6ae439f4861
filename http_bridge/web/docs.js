// Swagger UI over the description beside this page; the web page's token, if it has one, is used here too.
const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
  onComplete() {
    const token = localStorage.getItem("token");
    if (token) ui.preauthorizeApiKey("token", token);
  },
});
