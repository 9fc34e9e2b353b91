using Distributed.Jobs;
using Distributed.Messaging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;

namespace Distributed.OrderPipeline;

/// <summary>A worker of the pipeline: <c>OrderPipeline DATABASE BROKER</c>.</summary>
public static class Program
{
    public static async Task Main(string[] arguments)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        AddOrders(
            builder.Services,
            options => options.UseNpgsql(arguments[0]),
            exception => exception is NpgsqlException || exception.InnerException is NpgsqlException
        );
        builder.Services.AddMessaging(
            arguments[1],
            new ConsumerSet()
                .AddJobs<AcceptOrderHandler, AcceptOrder>()
                .AddJobs<MakePartHandler, MakePart>()
                .AddJobs<AssemblePartsHandler, AssembleParts>()
                .AddJobs<DeliverOrderHandler, DeliverOrder>()
        );
        builder.Services.AddHostedService<Watchdog>();
        await builder.Build().RunAsync();
    }

    /// <summary>Adds the pipeline to a host, without a transport.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="configure">Chooses the database.</param>
    /// <param name="isOutage">Whether an error is the database's absence.</param>
    public static void AddOrders(IServiceCollection services, Action<DbContextOptionsBuilder> configure, Func<Exception, bool> isOutage)
    {
        services.AddDbContextFactory<OrderContext>(options =>
        {
            configure(options);
            options.UseSnakeCaseNamingConvention();
        });
        services.AddSingleton<IDbContextFactory<JobsContext>, JobsContextFactory<OrderContext>>();
        services.AddSingleton(new OutageError("database", isOutage));
        services.AddSingleton(new JobOptions { Lease = TimeSpan.FromSeconds(3), Heartbeat = TimeSpan.FromMilliseconds(500) });
        services.AddJobs(OrderStages.All);
    }
}
