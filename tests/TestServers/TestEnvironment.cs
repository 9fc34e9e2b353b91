namespace Distributed.TestServers;

/// <summary>
/// Where the servers, the browser and the data of this test run are. Servers that no variable names are started for this process alone
/// when they are first asked for.
/// </summary>
public static class TestEnvironment
{
    internal const string RabbitMqVariable = "DISTRIBUTED_TEST_RABBITMQ";
    internal const string RabbitMqManagementVariable = "DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT";
    internal const string PostgresVariable = "DISTRIBUTED_TEST_POSTGRES";

    /// <summary>The broker with its default virtual host, user and password included.</summary>
    public static Uri RabbitMqUri => new(Server(RabbitMqVariable));

    /// <summary>The broker's management API, user and password included.</summary>
    public static Uri RabbitMqManagementUri => new(Server(RabbitMqManagementVariable));

    /// <summary>The maintenance database, as a user who may create others.</summary>
    public static string PostgresConnectionString => Server(PostgresVariable);

    /// <summary>Both servers, where a test wants nothing to do with others.</summary>
    public static ServerAddresses Servers => new(RabbitMqUri, RabbitMqManagementUri, PostgresConnectionString);

    /// <summary>The executable of Chromium or Chrome. As root it runs only with <c>--no-sandbox</c>.</summary>
    public static string ChromiumPath =>
        Optional("DISTRIBUTED_TEST_CHROMIUM")
        ?? FindOnPath("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        ?? throw Missing("DISTRIBUTED_TEST_CHROMIUM");

    /// <summary>strace, or null where it is not installed.</summary>
    public static string? StracePath => FindOnPath("strace");

    /// <summary>Prometheus, or null where it is not installed.</summary>
    public static string? PrometheusPath => FindOnPath("prometheus");

    /// <summary>Prometheus's tool that checks and tests rules, or null where it is not installed.</summary>
    public static string? PromtoolPath => FindOnPath("promtool");

    /// <summary>The folder of image data sets for tests on real photos, or null when there is none.</summary>
    public static string? TestDataDirectory => Optional("DISTRIBUTED_TEST_DATA");

    /// <summary>The root of the working copy that the running tests were built in.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    /// <summary>
    /// The built assembly of a service, for example <c>ServiceDll("Training")</c>, of the same configuration
    /// (Release or Debug) as the running tests.
    /// </summary>
    /// <exception cref="FileNotFoundException">The service is not built in this configuration.</exception>
    public static string ServiceDll(string service)
    {
        // .../bin/Release/net10.0/
        var framework = new DirectoryInfo(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        var path = Path.Combine(
            RepositoryRoot,
            "services",
            service,
            "bin",
            framework.Parent!.Name,
            framework.Name,
            $"Distributed.{service}.dll"
        );
        return File.Exists(path) ? path : throw new FileNotFoundException($"The service {service} is not built: there is no {path}.", path);
    }

    internal static string? FindOnPath(params IEnumerable<string> names)
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }

    // A broker that runs already has its management API where its owner says, and nowhere else.
    private static string Server(string variable) =>
        Optional(variable) ?? (OwnServers.Variable(variable) is { Length: > 0 } value ? value : throw Missing(variable));

    private static string? Optional(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    private static InvalidOperationException Missing(string variable) =>
        new($"{variable} is not set: run ./test.sh, or export what infra/local/servers.sh (the browser: infra/local/chromium.sh) prints.");

    private static string FindRepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Distributed.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not below a folder with Distributed.sln.");
    }
}
