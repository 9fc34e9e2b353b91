using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Distributed.Catalog;

/// <summary>The catalog in Postgres, which all hosts share.</summary>
public sealed class PostgresCatalogContext(DbContextOptions<PostgresCatalogContext> options) : CatalogContext(options)
{
    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        RunListColumns.MapPostgres(modelBuilder);
        SpecificationFunctions.MapPostgres(modelBuilder);
    }
}

/// <summary>The catalog in a SQLite file, for one process.</summary>
public sealed class SqliteCatalogContext(DbContextOptions<SqliteCatalogContext> options) : CatalogContext(options)
{
    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        base.ConfigureConventions(configurationBuilder);
        // Ids are texts in SQLite: as the API and file names have them, in small letters.
        configurationBuilder.Properties<Guid>().HaveConversion<string>();
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        RunListColumns.MapSqlite(modelBuilder);
        SpecificationFunctions.MapSqlite(modelBuilder);
    }
}

/// <summary>Lets the EF Core tools make migrations for Postgres; no server is asked.</summary>
internal sealed class PostgresDesignFactory : IDesignTimeDbContextFactory<PostgresCatalogContext>
{
    public PostgresCatalogContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<PostgresCatalogContext>().UseNpgsql("Host=design").UseSnakeCaseNamingConvention().Options);
}

/// <summary>Lets the EF Core tools make migrations for SQLite; no file is opened.</summary>
internal sealed class SqliteDesignFactory : IDesignTimeDbContextFactory<SqliteCatalogContext>
{
    public SqliteCatalogContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<SqliteCatalogContext>().UseSqlite("Data Source=design.db").UseSnakeCaseNamingConvention().Options);
}
