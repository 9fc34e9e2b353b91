// Asks for predictions with Microsoft's own client, as a program that was written for Azure Custom Vision does:
//   node classify.js ENDPOINT KEY PROJECT PUBLISHED_NAME image|nostore|url FILE_OR_URL
// and prints the answer, or the error, as one line of JSON.
const { readFileSync } = require("node:fs");
const { PredictionAPIClient } = require("@azure/cognitiveservices-customvision-prediction");
const { ApiKeyCredentials } = require("@azure/ms-rest-js");

const [endpoint, key, project, name, method, source] = process.argv.slice(2);
const credentials = new ApiKeyCredentials({ inHeader: { "Prediction-key": key } });
const client = new PredictionAPIClient(credentials, endpoint);
const methods = {
  image: () => client.classifyImage(project, name, readFileSync(source)),
  nostore: () => client.classifyImageWithNoStore(project, name, readFileSync(source)),
  url: () => client.classifyImageUrl(project, name, { url: source }),
};
methods[method]().then(
  (answer) => console.log(JSON.stringify(answer)),
  (error) => console.log(JSON.stringify({ status: error.statusCode, ...error.body })),
);
