using Distributed.Ingestion;
using Distributed.Messaging;
using Distributed.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
var consumers = new ConsumerSet();
builder.AddIngestion(consumers);
builder.AddServiceDefaults("ingestion", consumers);
var app = builder.Build();
app.MapServiceDefaults();
await app.RunAsync();
