using Distributed.Training;
using Distributed.Messaging;
using Distributed.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
var consumers = new ConsumerSet();
builder.AddTraining(consumers);
builder.AddServiceDefaults("training", consumers);
var app = builder.Build();
app.MapServiceDefaults();
await app.RunAsync();
