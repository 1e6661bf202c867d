// In place of the file of this name in swagger-ui-dist.
window.onload = () => {
  window.ui = SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#swagger-ui',
    presets: [SwaggerUIBundle.presets.apis],
  });
  // what Authorize has filled in when it opens
  window.ui.initOAuth({ clientId: 'swagger-ui' });
};
