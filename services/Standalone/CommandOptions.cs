using System.CommandLine;
using Microsoft.Extensions.Options;

namespace Distributed.Standalone;

/// <summary>What the commands have in common.</summary>
internal static class CommandOptions
{
    public static Option<string> Volume() => new("--volume")
    {
        Description = "Directory for data sets, features, checkpoints, reports and the catalog",
        DefaultValueFactory = _ => StandaloneHost.DefaultVolume,
    };

    /// <summary>Tells what is wrong with a command line, on standard error alone: standard output is for results.</summary>
    public static async Task<int> RefuseAsync(ParseResult result)
    {
        var command = result.CommandResult.Command is RootCommand ? "" : result.CommandResult.Command.Name + " ";
        await TellAsync($"{string.Join(' ', result.Errors.Select(error => error.Message))} {command}--help lists what there is.");
        return 1;
    }

    /// <summary>Turns an error that a person can act on into one line and an exit code.</summary>
    public static async Task<int> GuardAsync(Func<Task<int>> command, CancellationToken cancellationToken)
    {
        try
        {
            return await command();
        }
        catch (Exception exception) when (exception is CommandException or IOException or UnauthorizedAccessException or OptionsValidationException)
        {
            await TellAsync(exception.Message);
            return exception is CommandException { Status: var status } ? status : 1;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return 130;
        }
    }

    private static Task TellAsync(string message) =>
        Console.Error.WriteLineAsync("error: " + string.Join(' ', message.Split(['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)));
}
