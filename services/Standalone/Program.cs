using System.CommandLine;
using Distributed.Standalone;

var root = new RootCommand("Distributed: trains a new head for a pretrained DenseNet, all services in one process. Without a command it runs the sample.");
var run = new RunCommand();
root.Add(run);
root.Add(new ServeCommand());
return await root.Parse(args.Length == 0 ? [run.Name] : args).InvokeAsync();
