using System.CommandLine;
using System.CommandLine.Parsing;
using Distributed.ServiceDefaults;

namespace Distributed.Standalone;

/// <summary>What the commands have in common.</summary>
internal static class CommandOptions
{
    public static Option<string> Volume() =>
        new("--volume")
        {
            Description = "Directory for data sets, features, checkpoints, reports and the catalog",
            HelpName = "DIR",
            DefaultValueFactory = _ => StandaloneHost.DefaultVolume,
            Validators = { RefuseEmpty, RefuseOption },
        };

    /// <summary>Reports what is wrong with a command line, on standard error alone: standard output is for results.</summary>
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
        catch (HostSettingsException exception)
        {
            foreach (var error in exception.Errors)
            {
                await TellAsync(error);
            }

            return ServiceHost.MisconfiguredStatus;
        }
        catch (Exception exception) when (exception is CommandException or IOException or UnauthorizedAccessException)
        {
            await TellAsync(exception.Message);
            return exception is CommandException { Status: var status } ? status : 1;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return StopSignals.Status ?? 130;
        }
    }

    /// <summary>An option whose value was forgotten takes the next one's name for it.</summary>
    public static void RefuseOption(OptionResult result)
    {
        var command = (result.Parent as CommandResult)?.Command;
        if (result.Tokens.FirstOrDefault(token => command?.Options.Any(option => option.Name == token.Value) == true) is { } next)
        {
            result.AddError($"{result.Option.Name} has no value: {next.Value} is the next option.");
        }
    }

    /// <summary>A directory has a name.</summary>
    public static void RefuseEmpty(OptionResult result)
    {
        if (string.IsNullOrWhiteSpace(result.GetValueOrDefault<string>()))
        {
            result.AddError($"{result.Option.Name} is empty; give a directory.");
        }
    }

    private static Task TellAsync(string message) =>
        Console.Error.WriteLineAsync(
            "error: "
                + string.Join(
                    ' ',
                    message.Split(['\r', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                )
        );
}
