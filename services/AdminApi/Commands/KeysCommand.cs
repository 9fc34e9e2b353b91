using System.CommandLine;
using System.Globalization;
using Distributed.AdminApi.Access;
using Distributed.Catalog;

namespace Distributed.AdminApi.Commands;

/// <summary><c>keys</c>: creates, lists and revokes the keys to the API, in the catalog itself.</summary>
internal sealed class KeysCommand : CatalogCommand
{
    private const int LongestName = 100;

    /// <param name="connectionString">Where the catalog is.</param>
    /// <param name="options">What the connection string is made of.</param>
    public KeysCommand(Func<ParseResult, string?> connectionString, params ReadOnlySpan<Option> options)
        : base("keys", "Create, list and revoke the keys to the API", connectionString)
    {
        foreach (var option in options)
        {
            option.Recursive = true;
            Add(option);
        }

        Add(Create());
        Add(List());
        Add(Revoke());
    }

    private static Argument<string> Owner()
    {
        var name = new Argument<string>("name") { Description = "Whose key it is" };
        name.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { } value && (value.Length is 0 or > LongestName || value.Any(char.IsControl)))
            {
                result.AddError($"A key's name has 1 to {LongestName} characters that can be printed.");
            }
        });
        return name;
    }

    private static async Task<ApiKeyStore> StoreAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        await using var context = await OpenAsync(services, cancellationToken);
        return await CatalogMigration.IsCurrentAsync(context, cancellationToken)
            ? ActivatorUtilities.CreateInstance<ApiKeyStore>(services)
            : throw new ArgumentException(
                "The catalog does not have this program's schema yet. Start the service once, or run AdminApi's command migrate."
            );
    }

    private Command Create()
    {
        var name = Owner();
        var role = new Option<string>("--role")
        {
            Description =
                "reader: look at everything; operator: also submit, cancel and change; predictor: ask for predictions and nothing else",
            DefaultValueFactory = _ => RoleName(ApiRole.Reader),
        };
        role.AcceptOnlyFromAmong([.. Enum.GetValues<ApiRole>().Select(RoleName)]);
        var command = new Command("create", "Create a key and print it, once") { name, role };
        SetAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var owner = result.GetRequiredValue(name);
                var granted = Enum.GetValues<ApiRole>().Single(known => RoleName(known) == result.GetValue(role));
                if (
                    await (await StoreAsync(services, cancellationToken)).CreateAsync(owner, granted, AuditActor.Account, cancellationToken)
                    is not { } key
                )
                {
                    return await FailAsync(
                        $"There is a valid key named '{owner}' already. Choose another name, or revoke that key first: keys revoke {owner}."
                    );
                }

                // The key alone on standard output, so that a script can take it.
                await Console.Error.WriteLineAsync(
                    $"The {RoleName(granted)} key '{owner}'. Keep it now: it is stored nowhere, and cannot be shown again."
                );
                await Console.Out.WriteLineAsync(key.Reveal());
                return 0;
            }
        );
        return command;
    }

    private Command List()
    {
        var command = new Command("list", "List all keys; none is shown");
        SetAction(
            command,
            async (services, _, cancellationToken) =>
            {
                foreach (var key in await (await StoreAsync(services, cancellationToken)).ListAsync(cancellationToken))
                {
                    var state =
                        key.RevokedAt is { } revoked ? $"revoked {Time(revoked)}"
                        : key.LastUsedAt is { } used ? $"last used {Time(used)}"
                        : "never used";
                    await Console.Out.WriteLineAsync(
                        $"{key.Name}\t{RoleName(key.Role)}\tdstk_{key.Id}_…\tcreated {Time(key.CreatedAt)}\t{state}"
                    );
                }

                return 0;
            }
        );
        return command;
    }

    private Command Revoke()
    {
        var name = Owner();
        var command = new Command("revoke", "Revoke a key; it opens nothing from the next request on") { name };
        SetAction(
            command,
            async (services, result, cancellationToken) =>
            {
                var owner = result.GetRequiredValue(name);
                if (!await (await StoreAsync(services, cancellationToken)).RevokeAsync(owner, AuditActor.Account, cancellationToken))
                {
                    return await FailAsync($"No valid key is named '{owner}'. 'keys list' shows what there is.");
                }

                await Console.Error.WriteLineAsync($"The key '{owner}' opens nothing any more.");
                return 0;
            }
        );
        return command;
    }

    private static string RoleName(ApiRole role) => role.ToString().ToLowerInvariant();

    private static string Time(DateTime value) => value.ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture);
}
