using System.CommandLine;
using System.CommandLine.Invocation;
using Distributed.AdminApi.Commands;
using Distributed.ServiceDefaults;
using Distributed.Standalone;

var stop = StopSignals.Listen();
var root = new RootCommand(
    "Distributed: trains a new head for a pretrained DenseNet, all services in one process. Without a command it runs the sample."
);
var run = new RunCommand();
root.Add(run);
root.Add(new ServeCommand());
root.Add(new ModelCommand());
root.Add(new BackbonesCommand());
root.Add(new ImportCommand());
var volume = CommandOptions.Volume();
root.Add(new KeysCommand(parsed => StandaloneHost.CatalogOf(Path.GetFullPath(parsed.GetValue(volume)!)), volume));
var result = root.Parse(args);
if (result.CommandResult.Command is RootCommand && result.Action is ParseErrorAction or null && (args is [] || args[0].StartsWith('-')))
{
    // Options without a command are those of the sample run.
    result = root.Parse([run.Name, .. args]);
}

// Signals are answered by StopSignals: in its own way the parser would cut a host off two seconds after the first.
return result.Action is ParseErrorAction
    ? await CommandOptions.RefuseAsync(result)
    : await result.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }, stop);
