using Distributed.Contracts;
using Distributed.Jobs;
using MassTransit;
using MassTransit.Logging;
using MassTransit.Middleware;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Distributed.Messaging;

/// <summary>Which consumers a host runs.</summary>
public sealed class ConsumerSet
{
    internal List<Action<IBusRegistrationConfigurator>> Registrations { get; } = [];

    internal List<(
        Func<JobStages, IEnumerable<string>> Queues,
        Action<IReceiveEndpointConfigurator, IBusRegistrationContext> Configure
    )> Endpoints { get; } = [];

    internal List<(RequestKind Queue, Action<IReceiveEndpointConfigurator, IBusRegistrationContext> Configure)> Requests { get; } = [];

    internal bool HasJobs { get; private set; }

    /// <summary>Adds the handler of a stage's jobs, on that stage's queues.</summary>
    /// <typeparam name="THandler">The handler; made for each message, in a scope of its own.</typeparam>
    /// <typeparam name="TJob">The stage's message type.</typeparam>
    public ConsumerSet AddJobs<THandler, TJob>()
        where THandler : class, IJobHandler<TJob>
        where TJob : class, IJobMessage
    {
        HasJobs = true;
        Registrations.Add(bus =>
        {
            bus.AddScoped<IJobHandler<TJob>, THandler>();
            bus.AddConsumer<JobConsumer<TJob>>();
        });
        Endpoints.Add(
            (
                stages => stages.For(typeof(TJob).Name).Queues,
                (endpoint, context) =>
                {
                    // Jobs are sent to their queue by name; nothing is published to them.
                    endpoint.ConfigureConsumeTopology = false;
                    endpoint.ConfigureConsumer<JobConsumer<TJob>>(context);
                }
            )
        );
        return this;
    }

    /// <summary>Adds the handler of a kind of request.</summary>
    /// <param name="queue">Where the requests come from.</param>
    public ConsumerSet AddRequests<THandler, TRequest, TResponse>(RequestKind queue)
        where THandler : class, IRequestHandler<TRequest, TResponse>
        where TRequest : class
        where TResponse : class
    {
        ArgumentNullException.ThrowIfNull(queue);
        Registrations.Add(bus =>
        {
            bus.AddScoped<IRequestHandler<TRequest, TResponse>, THandler>();
            bus.AddConsumer<RequestConsumer<TRequest, TResponse>>();
        });
        Requests.Add((queue, (endpoint, context) => endpoint.ConfigureConsumer<RequestConsumer<TRequest, TResponse>>(context)));
        return this;
    }

    /// <summary>Adds the consumer of submissions, which may be plain JSON from any language.</summary>
    public ConsumerSet AddSubmissions<TConsumer>()
        where TConsumer : class, IConsumer<SubmitRun>
    {
        Registrations.Add(bus => bus.AddConsumer<TConsumer>());
        Endpoints.Add(
            (
                _ => [QueueTopology.SubmitRunQueue],
                (endpoint, context) =>
                {
                    endpoint.UseRawJsonDeserializer(isDefault: true);
                    endpoint.ConfigureConsumer<TConsumer>(context);
                }
            )
        );
        return this;
    }
}

/// <summary>Registers the bus in a host.</summary>
public static class MessagingRegistration
{
    /// <summary>Name of the activity source of the bus.</summary>
    public const string BusSourceName = DiagnosticHeaders.DefaultListenerName;

    /// <summary>Part of the name of the queue in which each host hears of runs that end.</summary>
    internal const string RunEndedTag = "run-ended";

    /// <summary>Adds the bus with some consumers, as the transport of jobs.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="connectionString">An AMQP URI, or <c>in-memory</c>.</param>
    /// <param name="consumers">The consumers.</param>
    /// <exception cref="ArgumentException">The connection string is neither.</exception>
    public static IServiceCollection AddMessaging(this IServiceCollection services, string? connectionString, ConsumerSet consumers)
    {
        ArgumentNullException.ThrowIfNull(consumers);
        var address = BrokerAddress.Parse(connectionString);
        services.AddSingleton(address);
        services.AddSingleton(consumers);
        services.AddSingleton(new OutageError("broker", BrokerOutage.Is));
        services.AddSingleton(new BusGate(address.IsInMemory));
        services.AddSingleton<IJobTransport, BusTransport>();
        services.AddSingleton<RequestSender>();
        if (address.IsInMemory)
        {
            services.AddSingleton<IQueueInspector, InMemoryQueueInspector>();
            services.AddSingleton<IMessageRequeue, InMemoryMessageRequeue>();
        }
        else
        {
            services.AddSingleton<RabbitConnections>();
            services.AddSingleton<IQueueInspector, RabbitQueueInspector>();
            services.AddSingleton<IMessageRequeue, RabbitMessageRequeue>();
            services.AddSingleton<QueueTopology>();
            services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<QueueTopology>());
            if (consumers.Endpoints.Count > 0)
            {
                services.AddHostedService<ConsumerWatch>();
            }
        }

        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddBusObserver<BusGateObserver>();
            consumers.Registrations.ForEach(register => register(bus));
            bus.AddConsumer<RunEndedConsumer>();
            if (address.IsInMemory)
            {
                bus.UsingInMemory((context, configurator) => ConfigureEndpoints(consumers, configurator, context, queue: null));
            }
            else
            {
                bus.UsingRabbitMq(
                    (context, configurator) =>
                    {
                        ConfigureHost(configurator, address);
                        ConfigureEndpoints(
                            consumers,
                            configurator,
                            context,
                            (endpoint, queue) => ConfigureQueue((IRabbitMqReceiveEndpointConfigurator)endpoint, queue, context)
                        );
                    }
                );
            }
        });
        return services;
    }

    /// <summary>Adds the publisher of the events that runs have ended.</summary>
    public static IServiceCollection AddRunEvents(this IServiceCollection services)
    {
        services.AddSingleton<RunEventPublisher>();
        services.AddSingleton<ICompletionPublisher>(provider => provider.GetRequiredService<RunEventPublisher>());
        services.AddSingleton<IWatchdogTask>(provider => provider.GetRequiredService<RunEventPublisher>());
        return services;
    }

    /// <summary>Adds the watchdog, and the processor of dead letters; one host of a system needs them, more do no harm.</summary>
    public static IServiceCollection AddWatchdog(this IServiceCollection services, string? connectionString)
    {
        services.AddHostedService<Watchdog>();
        if (!BrokerAddress.Parse(connectionString).IsInMemory)
        {
            services.AddHostedService<DeadLetterProcessor>();
            services.AddSingleton<WorkerPresence>();
            services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<WorkerPresence>());
        }

        return services;
    }

    private static void ConfigureHost(IRabbitMqBusFactoryConfigurator configurator, BrokerAddress address)
    {
        var uri = address.Uri!;
        var (user, password) = address.Credentials;
        configurator.Host(
            uri.Host,
            (ushort)(uri.IsDefaultPort || uri.Port < 0 ? (uri.Scheme == "amqps" ? 5671 : 5672) : uri.Port),
            address.VirtualHost,
            host =>
            {
                host.Username(user);
                host.Password(password);
                host.Heartbeat(TimeSpan.FromSeconds(10));
                if (uri.Scheme == "amqps")
                {
                    host.UseSsl();
                }
            }
        );
    }

    private static void ConfigureQueue(IRabbitMqReceiveEndpointConfigurator endpoint, string queue, IBusRegistrationContext context)
    {
        endpoint.ConfigureError(pipe =>
        {
            pipe.UseFilter(new StoppingFilter(context.GetRequiredService<IHostApplicationLifetime>()));
            pipe.UseFilter(new GenerateFaultFilter());
            pipe.UseFilter(new ErrorTransportFilter());
        });
        endpoint.SetQuorumQueue();
        foreach (var (name, value) in QueueTopology.Arguments(queue))
        {
            endpoint.SetQueueArgument(name, value!);
        }
    }

    private static void ConfigureEndpoints<TEndpoint>(
        ConsumerSet consumers,
        IBusFactoryConfigurator<TEndpoint> configurator,
        IBusRegistrationContext context,
        Action<TEndpoint, string>? queue
    )
        where TEndpoint : IReceiveEndpointConfigurator
    {
        if (consumers.HasJobs)
        {
            // Each host's own, and gone with it.
            configurator.ReceiveEndpoint(
                new TemporaryEndpointDefinition(RunEndedTag),
                KebabCaseEndpointNameFormatter.Instance,
                endpoint => endpoint.ConfigureConsumer<RunEndedConsumer>(context)
            );
        }

        foreach (var (requests, configure) in consumers.Requests)
        {
            configurator.ReceiveEndpoint(
                requests.Name,
                endpoint =>
                {
                    endpoint.PrefetchCount = RequestKind.MostAtOnce;
                    endpoint.ConcurrentMessageLimit = RequestKind.MostAtOnce;
                    // Their sender hears of an error; nothing is to be done about it later.
                    endpoint.DiscardFaultedMessages();
                    endpoint.DiscardSkippedMessages();
                    endpoint.ConfigureConsumeTopology = false;
                    if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
                    {
                        foreach (var (name, value) in RequestKind.Arguments)
                        {
                            rabbit.SetQueueArgument(name, value!);
                        }
                    }

                    configure(endpoint, context);
                }
            );
        }

        var stages = context.GetRequiredService<JobStages>();
        foreach (var (name, configure) in consumers.Endpoints.SelectMany(one => one.Queues(stages).Select(queue => (queue, one.Configure))))
        {
            configurator.ReceiveEndpoint(
                name,
                endpoint =>
                {
                    // One job at a time: what a worker has not begun, another can do.
                    endpoint.PrefetchCount = 1;
                    endpoint.ConcurrentMessageLimit = 1;
                    queue?.Invoke(endpoint, name);
                    configure(endpoint, context);
                }
            );
        }
    }
}
