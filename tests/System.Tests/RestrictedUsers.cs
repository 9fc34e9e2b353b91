using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Distributed.TestServers;
using Npgsql;

namespace Distributed.System.Tests;

/// <summary>The users of database and broker as docker-compose.yml has them, made by the same script and commands, under names of a test's own.</summary>
internal sealed partial class RestrictedUsers(Cluster cluster) : IAsyncDisposable
{
    private static readonly (string Service, string Name, string Role)[] Services =
    [
        ("AdminApi", "admin-api", "api"),
        ("Ingestion", "ingestion", "worker"),
        ("Training", "training", "worker"),
        ("Evaluation", "evaluation", "worker"),
    ];

    private readonly Dictionary<string, string> _passwords = new[]
    {
        "owner",
        "api",
        "worker",
        "admin-api",
        "ingestion",
        "training",
        "evaluation",
        "client",
    }.ToDictionary(name => name, _ => RandomNumberGenerator.GetHexString(24));

    /// <summary>Everything that must never be seen.</summary>
    public IEnumerable<string> Secrets => _passwords.Values.Append(Key.Split('_')[2]);

    /// <summary>An operator's key.</summary>
    public string Key { get; private set; } = "";

    public static async Task<RestrictedUsers> CreateAsync(Cluster cluster)
    {
        var users = new RestrictedUsers(cluster);
        await users.CreateRolesAsync();
        await users.CommandAsync("owner", "migrate", "--api-role", users.Role("api"), "--worker-role", users.Role("worker"));
        await users.CommandAsync("api", "broker-users", "--vhost", cluster.Broker.Name, "--prefix", users.Prefix);
        users.Key = (await users.CommandAsync("api", "keys", "create", "ada", "--role", "operator")).Single(line =>
            line.StartsWith("dstk_", StringComparison.Ordinal)
        );
        cluster.UseKey(users.Key);
        foreach (var (service, name, role) in Services)
        {
            cluster.Configure(
                service,
                new Dictionary<string, string?>
                {
                    ["ConnectionStrings__Catalog"] = users.Catalog(role),
                    ["ConnectionStrings__RabbitMq"] = users.Broker(name).ToString(),
                    ["Catalog__Migrate"] = "false",
                    ["Api__Keys"] = "required",
                }
            );
        }

        return users;
    }

    public string Catalog(string role) =>
        new NpgsqlConnectionStringBuilder(cluster.Database.ConnectionString)
        {
            Username = Role(role),
            Password = _passwords[role],
        }.ConnectionString;

    public Uri Broker(string service) =>
        new UriBuilder(cluster.Broker.Uri) { UserName = Prefix + service, Password = _passwords[service] }.Uri;

    public async ValueTask DisposeAsync()
    {
        using (var management = RabbitMqVirtualHost.ManagementClient())
        {
            foreach (var name in Services.Select(service => service.Name).Append("client"))
            {
                using var deleted = await management.DeleteAsync($"api/users/{Prefix}{name}");
            }
        }

        // The grants of tables go with them; the database itself goes later.
        await ExecuteAsync(
            string.Join(
                ';',
                new[] { "api", "worker", "owner" }.Select(role => $"DROP OWNED BY {Role(role)} CASCADE; DROP ROLE {Role(role)}")
            )
        );
    }

    private string Prefix => cluster.Broker.Name + "-";

    private string Role(string role) => $"{role}_{cluster.Database.Name}";

    private async Task CreateRolesAsync()
    {
        var script = await File.ReadAllTextAsync(Path.Combine(TestEnvironment.RepositoryRoot, "infra", "postgres", "roles.sql"));
        // What psql does with its variables.
        await ExecuteAsync(
            Variable()
                .Replace(
                    script,
                    variable =>
                        variable.Groups["name"].Value switch
                        {
                            "DBNAME" => cluster.Database.Name,
                            var name when name.EndsWith("_password", StringComparison.Ordinal) =>
                                $"'{_passwords[name[..^"_password".Length]]}'",
                            var name => Role(name),
                        }
                )
        );
    }

    private async Task<IReadOnlyList<string>> CommandAsync(string role, params string[] arguments)
    {
        var environment = Services
            .Select(service => service.Name)
            .Append("client")
            .ToDictionary(name => $"Broker__Passwords__{name}", name => (string?)_passwords[name]);
        environment["ConnectionStrings__Catalog"] = Catalog(role);
        // The images set it; commands run where no volume is mounted.
        environment["Volume__Root"] = "/proc/volume";
        environment["ConnectionStrings__RabbitMqManagement"] = TestEnvironment.RabbitMqManagementUri.ToString();
        await using var process = HostProcess.StartService(TestEnvironment.ServiceDll("AdminApi"), arguments, environment);
        Assert.True(await process.WaitForExitAsync() == 0, string.Join('\n', process.Lines));
        return process.Lines;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(cluster.Database.ConnectionString) { Pooling = false }.ConnectionString
        );
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    [GeneratedRegex(""":["'](?<name>[A-Za-z_]+)["']""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Variable();
}
