using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using Distributed.Messaging;

namespace Distributed.AdminApi.Commands;

/// <summary><c>broker-users</c>: gives every service a user of the broker that may do what that service does, and no more.</summary>
internal sealed class BrokerUsersCommand : Command
{
    /// <summary>Section of the settings with the passwords, by service.</summary>
    public const string PasswordSection = "Broker:Passwords";

    public BrokerUsersCommand(IConfiguration configuration)
        : base("broker-users", $"Create the services' users of the broker, or bring their passwords ({PasswordSection}:SERVICE) and permissions up to date")
    {
        var vhost = new Option<string>("--vhost") { Description = "The virtual host of the system", DefaultValueFactory = _ => "/" };
        var prefix = new Option<string>("--prefix") { Description = "What the names of the users begin with", DefaultValueFactory = _ => "" };
        Add(vhost);
        Add(prefix);
        SetAction(async (result, cancellationToken) =>
        {
            try
            {
                using var management = Connect(configuration.GetConnectionString("RabbitMqManagement"));
                foreach (var (service, permissions) in BrokerPermissions.All)
                {
                    var password = configuration[$"{PasswordSection}:{service}"]
                        ?? throw new ArgumentException($"{PasswordSection}:{service} is not configured; give a password for each of {string.Join(", ", BrokerPermissions.All.Keys)}.");
                    var user = Uri.EscapeDataString(result.GetValue(prefix) + service);
                    await PutAsync(management, $"api/users/{user}", new { password, tags = "" }, cancellationToken);
                    await PutAsync(management, $"api/permissions/{Uri.EscapeDataString(result.GetValue(vhost)!)}/{user}", permissions, cancellationToken);
                }

                await Console.Error.WriteLineAsync($"The broker knows {string.Join(", ", BrokerPermissions.All.Keys.Select(service => result.GetValue(prefix) + service))}.");
                return 0;
            }
            catch (Exception exception) when (exception is ArgumentException or HttpRequestException)
            {
                await Console.Error.WriteLineAsync($"error: {exception.Message}");
                return 1;
            }
        });
    }

    private static HttpClient Connect(string? connectionString)
    {
        if (!Uri.TryCreate(connectionString, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.UserInfo.Length == 0)
        {
            throw new ArgumentException("ConnectionStrings:RabbitMqManagement is not configured; write http://ADMINISTRATOR:PASSWORD@HOST:15672.");
        }

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
