using Distributed.Storage;
using Distributed.TestServers;
using Npgsql;

namespace Distributed.Faults;

/// <summary>The hosts that wait since they were started on another volume or catalog than the others, or with folders that are not there.</summary>
internal sealed class WrongPlaces : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("distributed-wrong-");
    private readonly PostgresDatabase _later;
    private readonly PostgresDatabase _other;

    private WrongPlaces(PostgresDatabase later, PostgresDatabase other) => (_later, _other) = (later, other);

    /// <summary>All of them.</summary>
    public IReadOnlyList<BadHost> Hosts
    {
        get
        {
            var (volume, empty, missing, data) = (At("other"), At("empty"), At("missing"), At("data"));
            return
            [
                Waiting("other-volume", "Training", "Volume__Root", volume, "is not the one of this catalog"),
                Waiting("empty-volume", "Ingestion", "Volume__Root", empty, "holds no volume"),
                Waiting("missing-volume", "Evaluation", "Volume__Root", missing, "does not exist"),
                Waiting("no-data", "Ingestion", "Data__Roots__2", data, "Data__Roots__2"),
                Waiting(
                    "other-catalog",
                    "Training",
                    "ConnectionStrings__Catalog",
                    _other.ConnectionString,
                    "This catalog has no volume yet"
                ),
                Waiting(
                    "later-catalog",
                    "Ingestion",
                    "ConnectionStrings__Catalog",
                    _later.ConnectionString,
                    "was migrated by a later version of the program"
                ),
            ];
        }
    }

    public static async Task<WrongPlaces> CreateAsync(FaultLab lab)
    {
        var places = new WrongPlaces(
            await PostgresDatabase.CreateAsync(lab.Servers.Addresses.Postgres),
            await PostgresDatabase.CreateAsync(lab.Servers.Addresses.Postgres)
        );
        Volume.Begin(places.At("other"));
        Directory.CreateDirectory(places.At("empty"));
        await using var source = NpgsqlDataSource.Create(places._later.ConnectionString);
        await using var command = source.CreateCommand(
            """
            create table "__EFMigrationsHistory" (migration_id varchar(150) primary key, product_version varchar(32) not null);
            insert into "__EFMigrationsHistory" values ('29991231000000_Future', '99.0.0')
            """
        );
        await command.ExecuteNonQueryAsync();
        return places;
    }

    public async ValueTask DisposeAsync()
    {
        await _later.DisposeAsync();
        await _other.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static BadHost Waiting(string name, string service, string variable, string value, string says) =>
        new(name, service, TestEnvironment.ServiceDll(service), new Dictionary<string, string?> { [variable] = value }, Status: null, says);

    private string At(string folder) => Path.Combine(_folder.FullName, folder);
}
