using System.CommandLine;
using System.CommandLine.Invocation;
using Distributed.AdminApi.Commands;
using Distributed.Standalone;

var root = new RootCommand("Distributed: trains a new head for a pretrained DenseNet, all services in one process. Without a command it runs the sample.");
var run = new RunCommand();
root.Add(run);
root.Add(new ServeCommand());
var volume = CommandOptions.Volume();
root.Add(new KeysCommand(parsed => StandaloneHost.CatalogOf(Path.GetFullPath(parsed.GetValue(volume)!)), volume));
var result = root.Parse(args.Length == 0 ? [run.Name] : args);
return result.Action is ParseErrorAction ? await CommandOptions.RefuseAsync(result) : await result.InvokeAsync();
