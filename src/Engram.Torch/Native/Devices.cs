using System.Globalization;
using TorchSharp;

namespace Engram.Torch.Native;

/// <summary>Turns the device names users write into TorchSharp devices.</summary>
public static class Devices
{
    /// <summary>Reads <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c> and makes sure the device is there.</summary>
    /// <param name="device">Device name, in PyTorch's spelling; <c>cuda</c> is <c>cuda:0</c>.</param>
    /// <returns>The device, ready for use.</returns>
    /// <exception cref="ArgumentException">Another name, or a GPU number this machine does not have.</exception>
    /// <exception cref="LibTorchException">libtorch cannot be loaded, or it cannot use a GPU.</exception>
    public static torch.Device Parse(string device)
    {
        ArgumentNullException.ThrowIfNull(device);
        var index = 0;
        if (
            device != "cpu"
            && device != "cuda"
            && !(
                device.StartsWith("cuda:", StringComparison.Ordinal)
                && int.TryParse(device.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out index)
            )
        )
            throw new ArgumentException($"Device '{device}' is not known: write cpu, cuda or cuda:N.", nameof(device));

        LibTorch.EnsureLoaded();
        if (device == "cpu")
            return torch.CPU;

        if (!torch.TryInitializeDeviceType(DeviceType.CUDA))
            throw new LibTorchException(
                $"Device '{device}' is not available: no NVIDIA GPU is usable, or the loaded libtorch is built without CUDA; set "
                    + $"{LibTorchFolder.Variable} to the lib folder of a CUDA build of libtorch {LibTorchFolder.Version}."
            );
        if (index >= torch.cuda.device_count())
            throw new ArgumentException(
                $"Device '{device}' does not exist: this machine has {torch.cuda.device_count()} CUDA device(s), numbered from 0.",
                nameof(device)
            );
        return torch.device(DeviceType.CUDA, index);
    }
}
