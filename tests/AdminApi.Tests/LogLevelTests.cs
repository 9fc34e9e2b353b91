using Distributed.Messaging;
using Distributed.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Distributed.AdminApi.Tests;

public sealed class LogLevelTests
{
    [Theory]
    [InlineData("", "Distributed", LogLevel.Information)]
    [InlineData("", "MassTransit", LogLevel.Warning)]
    [InlineData("--Logging:LogLevel:Default=debug", "Distributed", LogLevel.Debug)]
    [InlineData("--Logging:LogLevel:Default=debug", "MassTransit", LogLevel.Warning)]
    [InlineData("--Logging:LogLevel:Default=error", "MassTransit", LogLevel.Error)]
    [InlineData("--Logging:LogLevel:Default=none", "MassTransit", LogLevel.None)]
    [InlineData("--Logging:LogLevel:Default=error --Logging:LogLevel:MassTransit=debug", "MassTransit", LogLevel.Debug)]
    public void Libraries_are_heard_from_warnings_on_and_never_below_the_default(string arguments, string category, LogLevel first)
    {
        var builder = ServiceHost.CreateBuilder(
            [
                "--Volume:Root=none",
                "--ConnectionStrings:Catalog=Data Source=none.db",
                "--ConnectionStrings:RabbitMq=in-memory",
                .. arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            ],
            defaultPort: 0
        );
        builder.AddServiceDefaults("test", new ConsumerSet());
        using var services = builder.Services.BuildServiceProvider();

        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(category);

        Assert.All(
            Enum.GetValues<LogLevel>().Where(level => level != LogLevel.None),
            level => Assert.Equal(level >= first, logger.IsEnabled(level))
        );
    }
}
