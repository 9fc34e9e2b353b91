using System.CommandLine;
using System.Data.Common;
using Distributed.Catalog;
using Distributed.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace Distributed.AdminApi.Commands;

/// <summary>A command that works on a catalog, and reports errors that a person can mend in one line.</summary>
internal abstract class CatalogCommand : Command
{
    private readonly Func<ParseResult, string?> _connectionString;

    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="connectionString">Where the catalog is.</param>
    protected CatalogCommand(string name, string description, Func<ParseResult, string?> connectionString)
        : base(name, description) => _connectionString = connectionString;

    /// <summary>Makes a subcommand do something with the catalog's services.</summary>
    protected void SetAction(Command command, Func<IServiceProvider, ParseResult, CancellationToken, Task<int>> action) =>
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var connectionString = _connectionString(result);
                if (FindError(connectionString) is { } wrong)
                {
                    await FailAsync(wrong);
                    return ServiceHost.MisconfiguredStatus;
                }

                try
                {
                    await using var services = new ServiceCollection().AddLogging().AddCatalog(connectionString).BuildServiceProvider();
                    return await action(services, result, cancellationToken);
                }
                catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
                {
                    return StopSignals.Status ?? 130;
                }
                catch (Exception exception)
                    when (exception
                            is ArgumentException
                                or DbException
                                or IOException
                                or UnauthorizedAccessException
                                or CatalogVersionException
                        || CatalogOutage.Is(exception)
                    )
                {
                    return await FailAsync(exception.GetBaseException().Message);
                }
            }
        );

    private static string? FindError(string? connectionString) =>
        string.IsNullOrWhiteSpace(connectionString)
            ? $"ConnectionStrings__Catalog is not set; give {CatalogRegistration.ConnectionStringForm}."
        : CatalogRegistration.FindError(connectionString) is { } wrong
            ? $"ConnectionStrings__Catalog {wrong}; it must be {CatalogRegistration.ConnectionStringForm}."
        : null;

    protected static async Task<int> FailAsync(string message)
    {
        await Console.Error.WriteLineAsync($"error: {message}");
        return 1;
    }

    protected static async Task<int> SucceedAsync(string message)
    {
        await Console.Error.WriteLineAsync(message);
        return 0;
    }

    protected static async Task<CatalogContext> OpenAsync(IServiceProvider services, CancellationToken cancellationToken) =>
        await services.GetRequiredService<IDbContextFactory<CatalogContext>>().CreateDbContextAsync(cancellationToken);
}
