using System.CommandLine;
using Distributed.AdminApi;
using Distributed.AdminApi.Access;
using Distributed.Catalog;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace Distributed.Standalone;

/// <summary><c>serve</c>: the API and all services, until stopped.</summary>
internal sealed class ServeCommand : Command
{
    private const int DefaultPort = 8080;

    private readonly Option<string> _urls = new("--urls")
    {
        Description = "Addresses to listen on; ASPNETCORE_URLS says them too",
        DefaultValueFactory = _ =>
            Environment.GetEnvironmentVariable("ASPNETCORE_URLS") is { Length: > 0 } addresses
                ? addresses
                : $"http://127.0.0.1:{DefaultPort}",
        Validators = { CommandOptions.RefuseOption },
    };
    private readonly Option<string> _volume = CommandOptions.Volume();

    public ServeCommand()
        : base("serve", "Serve the API, and work on the runs that are submitted, until stopped")
    {
        Add(_urls);
        Add(_volume);
        SetAction(
            (result, cancellationToken) =>
                CommandOptions.GuardAsync(
                    () => ServeAsync(result.GetValue(_urls)!, Path.GetFullPath(result.GetValue(_volume)!), cancellationToken),
                    cancellationToken
                )
        );
    }

    /// <summary>Where to go from here.</summary>
    /// <param name="url">Where it listens.</param>
    /// <param name="volume">The volume's directory.</param>
    /// <param name="needsKey">Whether requests from this machine need a key as well.</param>
    internal static string Describe(string url, string volume, bool needsKey)
    {
        var access = needsKey ? "every request needs a key: keys create NAME --role operator" : "from this machine it needs no key";
        var header = needsKey ? " -H \"Authorization: Bearer $KEY\"" : "";
        // What listens on every address is asked at this one.
        var address = url.Replace("//[::]:", "//127.0.0.1:", StringComparison.Ordinal)
            .Replace("//0.0.0.0:", "//127.0.0.1:", StringComparison.Ordinal)
            .TrimEnd('/');
        return $$"""

            Distributed takes runs at {{address}}
              Pages   {{address}} shows runs, models and data sets
              API     {{address}}/docs describes it; {{access}}
              Submit  curl {{address}}/api/v1/runs{{header}} -H 'Content-Type: application/json' -d '{"name":"my-first"}'
              Watch   curl {{address}}/api/v1/runs{{header}}
              Volume  {{volume}}
              Stop    Ctrl-C; what is unfinished goes on at the next start on this volume

            """;
    }

    private static async Task<int> ServeAsync(string urls, string volume, CancellationToken cancellationToken)
    {
        if (urls.Split(';', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(url => !ListenAddresses.IsAddress(url)) is { } wrong)
        {
            throw new CommandException(
                $"--urls has '{wrong}'; give addresses such as http://127.0.0.1:{DefaultPort}, with semicolons between them."
            );
        }

        using var volumeLock = VolumeLock.Take(volume);
        var builder = ServiceHost.CreateBuilder(["--urls", urls], DefaultPort);
        StandaloneHost.AddServices(builder, volume);
        if (ListenAddresses.FindErrors(builder) is [var error, ..])
        {
            throw new CommandException(error);
        }

        await using var app = builder.Build();
        app.MapServiceDefaults();
        app.MapAdminApi();
        await StandaloneHost.StartAsync(app, cancellationToken);
        await app.Services.GetRequiredService<CatalogMigration>().Ready.WaitAsync(cancellationToken);
        if (!LoggingRegistration.IsForPrograms(builder.Configuration))
        {
            await Console.Out.WriteLineAsync(
                Describe(
                    app.Urls.First(),
                    volume,
                    needsKey: app.Services.GetRequiredService<IOptions<ApiOptions>>().Value.Keys == KeyPolicy.Required
                )
            );
        }

        await app.WaitForShutdownAsync(cancellationToken);
        return StopSignals.Status ?? Environment.ExitCode;
    }
}
