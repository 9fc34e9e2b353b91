using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using Distributed.Messaging;
using Distributed.ServiceDefaults;

namespace Distributed.AdminApi.Commands;

/// <summary><c>broker-users</c>: gives every service a user of the broker that may do what that service does, and no more.</summary>
internal sealed class BrokerUsersCommand : Command
{
    /// <summary>Section of the settings with the passwords, by service.</summary>
    public const string PasswordSection = "Broker:Passwords";

    private const string ConnectionName = "RabbitMqManagement";

    public BrokerUsersCommand(IConfiguration configuration)
        : base(
            "broker-users",
            $"Create the services' users of the broker, or bring their passwords ({PasswordSection}:SERVICE) and permissions up to date"
        )
    {
        var vhost = new Option<string>("--vhost") { Description = "The virtual host of the system", DefaultValueFactory = _ => "/" };
        var prefix = new Option<string>("--prefix")
        {
            Description = "What the names of the users begin with",
            DefaultValueFactory = _ => "",
        };
        Add(vhost);
        Add(prefix);
        SetAction(
            async (result, cancellationToken) =>
            {
                try
                {
                    if (FindErrors(configuration) is { Count: > 0 } errors)
                    {
                        foreach (var error in errors)
                        {
                            await Console.Error.WriteLineAsync($"error: {error}");
                        }

                        return ServiceHost.MisconfiguredStatus;
                    }

                    using var management = Connect(configuration.GetConnectionString(ConnectionName)!);
                    foreach (var (service, permissions) in BrokerPermissions.All)
                    {
                        var password = configuration[$"{PasswordSection}:{service}"];
                        var user = Uri.EscapeDataString(result.GetValue(prefix) + service);
                        await PutAsync(management, $"api/users/{user}", new { password, tags = "" }, cancellationToken);
                        await PutAsync(
                            management,
                            $"api/permissions/{Uri.EscapeDataString(result.GetValue(vhost)!)}/{user}",
                            permissions,
                            cancellationToken
                        );
                    }

                    await Console.Error.WriteLineAsync(
                        $"The broker knows {string.Join(", ", BrokerPermissions.All.Keys.Select(service => result.GetValue(prefix) + service))}."
                    );
                    return 0;
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    return StopSignals.Status ?? 130;
                }
                catch (HttpRequestException exception)
                {
                    await Console.Error.WriteLineAsync($"error: {exception.Message}");
                    return 1;
                }
            }
        );
    }

    private static IReadOnlyList<string> FindErrors(IConfiguration configuration)
    {
        var settings = new HostSettings().AddRequired(
            $"ConnectionStrings:{ConnectionName}",
            "the broker's management as http://ADMINISTRATOR:PASSWORD@HOST:15672",
            text =>
                Uri.TryCreate(text, UriKind.Absolute, out var uri)
                && uri.Scheme is "http" or "https"
                && uri.UserInfo.Contains(':', StringComparison.Ordinal)
                    ? null
                    : "is malformed"
        );
        foreach (var service in BrokerPermissions.All.Keys)
        {
            settings.AddRequired($"{PasswordSection}:{service}", $"the password that the user {service} is to have", _ => null);
        }

        return settings.FindErrors(configuration);
    }

    private static HttpClient Connect(string connectionString)
    {
        var uri = new Uri(connectionString);
        var credentials = Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(uri.UserInfo)));
        return new HttpClient
        {
            BaseAddress = new UriBuilder(uri) { UserName = "", Password = "" }.Uri,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Basic", credentials) },
        };
    }

    private static async Task PutAsync(HttpClient management, string path, object body, CancellationToken cancellationToken)
    {
        using var response = await management.PutAsJsonAsync(path, body, cancellationToken);
        response.EnsureSuccessStatusCode();
    }
}
