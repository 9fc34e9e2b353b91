using Xunit.Sdk;

namespace Distributed.TestServers;

/// <summary>
/// The servers of a test process that nobody has started any for, as in an IDE. They are started when the first test asks, once for all
/// of its tests, and stopped when the process ends.
/// </summary>
internal static class OwnServers
{
    private static readonly Lazy<ServerScript> Script = new(Start);

    /// <summary>What <c>servers.sh</c> exports under a name; empty where that server is one that ran already and was not named in full.</summary>
    /// <remarks>Skips the test, and says what to install, where there are no servers to be had.</remarks>
    public static string Variable(string name) => Script.Value.Variables[name];

    private static ServerScript Start()
    {
        try
        {
            // Properties ask, in many tests at once: all but one wait for the lock, and this one for the script.
            var script = Task.Run(() => ServerScript.StartAsync()).GetAwaiter().GetResult();
            AppDomain.CurrentDomain.ProcessExit += (_, _) => script.DisposeAsync().AsTask().GetAwaiter().GetResult();
            return script;
        }
        catch (ServersUnavailableException exception)
        {
            throw SkipException.ForSkip(exception.Message);
        }
    }
}
