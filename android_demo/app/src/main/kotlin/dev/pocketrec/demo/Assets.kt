package dev.pocketrec.demo

import android.content.res.AssetManager
import dev.pocketrec.PackageException
import dev.pocketrec.Source
import java.io.FileInputStream
import java.io.IOException

/**
 * A package among the app's assets, read in place: no copy is made and nothing is unpacked.
 *
 * @throws PackageException there is none, or the build compressed it.
 */
internal fun assetSource(assets: AssetManager, name: String): Source {
    val descriptor = try {
        assets.openFd(name)
    } catch (error: IOException) {
        throw PackageException("asset $name: missing, or compressed; add \"pocketrec\" to androidResources.noCompress", error)
    }
    descriptor.use {
        val channel = FileInputStream(it.fileDescriptor).channel // closed with the descriptor, whose file it shares
        return Source.channel(channel, it.startOffset, it.length, "asset $name")
    }
}
