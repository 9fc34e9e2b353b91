namespace Distributed.AdminApi.Webhooks;

/// <summary>Settings of the section <c>Webhooks</c>.</summary>
internal sealed class WebhookOptions
{
    public const string Section = "Webhooks";

    /// <summary>Whether webhooks may lead to this machine or its network.</summary>
    public bool AllowPrivateAddresses { get; set; }
}
