// Trains a model on a folder that the server can read, promotes it and asks it for an image:
//   dotnet run -- http://127.0.0.1:8080 flowers /data/flowers rose.jpg
// The key, where the server wants one, is in the variable KEY.
using Distributed.Client;
using Distributed.Contracts;

if (args.Length != 4)
{
    Console.Error.WriteLine("usage: train SERVER MODEL DATASET IMAGE");
    return 2;
}

var (server, model, dataset, image) = (new Uri(args[0]), args[1], args[2], args[3]);
using var client = new DistributedClient(server, Environment.GetEnvironmentVariable("KEY"));
try
{
    var run = await client.SubmitRunAsync(new RunSpecification { Name = model, Dataset = dataset });
    run = await client.WaitForRunAsync(run.RunId);
    if (run.State != RunState.Completed)
    {
        Console.Error.WriteLine($"The run is {run.State}: {run.Failure}");
        return 1;
    }

    var version = await client.RegisterVersionAsync(model, run.RunId);
    await client.PromoteAsync(model, "champion", version.Number);
    using var photo = File.OpenRead(image);
    var prediction = await client.PredictAsync($"{model}@champion", photo);
    Console.WriteLine(FormattableString.Invariant($"accuracy\t{run.TestAccuracy:0.0000}"));
    foreach (var one in prediction.Classes)
    {
        Console.WriteLine(FormattableString.Invariant($"{one.Class}\t{one.Probability:0.0000}"));
    }

    return 0;
}
catch (ApiException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}
