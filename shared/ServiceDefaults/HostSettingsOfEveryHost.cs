using Distributed.Catalog;
using Distributed.Contracts;
using Distributed.Jobs;
using Distributed.Messaging;
using Distributed.Networks;

namespace Distributed.ServiceDefaults;

/// <summary>The settings that every host has.</summary>
public static class HostSettingsOfEveryHost
{
    private const string Ports = "ports from 0 to 65535, with semicolons between them";

    private static readonly string[] OtlpProtocols = ["grpc", "http/protobuf"];

    /// <summary>Adds where catalog, broker and volume are, and the settings of the defaults of all hosts.</summary>
    public static HostSettings AddDefaults(this HostSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings
            .AddRequired("ConnectionStrings:Catalog", CatalogRegistration.ConnectionStringForm, CatalogRegistration.FindError)
            .AddRequired("ConnectionStrings:RabbitMq", BrokerAddress.Form, BrokerAddress.FindError)
            .AddOptional("ConnectionStrings:RabbitMqManagement", "an address for the command broker-users", usual: null, _ => null)
            .AddRequired("Volume:Root", "the directory that all hosts share", _ => null)
            .AddOptional(
                "Catalog:Migrate",
                "true or false",
                "true",
                text => StrictText.TryParseBoolean(text, out _) ? null : $"is {SettingText.Quote(text)}"
            )
            .AddOptions<JobOptions>("Jobs")
            .AddList("Data:Roots")
            .AddOptional(BackboneList.FileSetting, "a JSON file of bases and mirrors", usual: null, BackboneList.FindError)
            .AddOptional(
                MetricsEndpoint.PortSetting,
                "a port from 1 to 65535 among those that the host listens on",
                usual: null,
                MetricsEndpoint.FindPortError
            )
            .AddOptional("OTEL_EXPORTER_OTLP_ENDPOINT", "an address such as http://127.0.0.1:4317", usual: null, FindOtlpError)
            .AddOptional(
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                SettingText.OneOf(OtlpProtocols),
                "grpc",
                text => text.Length == 0 || OtlpProtocols.Contains(text) ? null : $"is {SettingText.Quote(text)}"
            )
            .AddLogging()
            .AddOptional(
                "urls",
                "addresses such as http://127.0.0.1:8080, with semicolons between them",
                usual: null,
                ListenAddresses.FindError
            )
            .AddOptional("http_ports", Ports, usual: null, ListenAddresses.FindPortError)
            .AddOptional("https_ports", Ports, usual: null, ListenAddresses.FindPortError);
    }

    private static string? FindOtlpError(string text) =>
        text.Length == 0 || (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            ? null
            : $"is {SettingText.Quote(text)}";
}
