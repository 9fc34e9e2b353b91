using System.CommandLine;

namespace Distributed.Standalone;

/// <summary>What the commands have in common.</summary>
internal static class CommandOptions
{
    public static Option<string> Volume() => new("--volume")
    {
        Description = "Directory for data sets, features, checkpoints, reports and the catalog",
        DefaultValueFactory = _ => StandaloneHost.DefaultVolume,
    };

    /// <summary>Turns an error that a person can act on into one line and an exit code.</summary>
    public static async Task<int> GuardAsync(Func<Task<int>> command)
    {
        try
        {
            return await command();
        }
        catch (CommandException exception)
        {
            await Console.Error.WriteLineAsync($"error: {exception.Message}");
            return 1;
        }
    }
}
