package dev.pocketrec.file

import dev.pocketrec.PackageException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import java.util.concurrent.ConcurrentHashMap
import java.util.zip.CRC32

/** When the entries of a package are checked. */
public enum class Verify {
    /** The hash and the values of every entry, when the package is opened. */
    FULL,

    /** Those of an entry when it is first used. */
    LAZY,
}

/**
 * One package file, mapped into memory and checked. Threads may share it.
 *
 * @property manifest everything that correct use needs.
 * @property id SHA-256 of the manifest's bytes, so of all content, in hexadecimal.
 * @property sizeBytes size of the whole file.
 */
public class PackageFile internal constructor(source: ByteBuffer, private val where: String, verify: Verify) : AutoCloseable {
    @Volatile
    private var data: ByteBuffer? = source.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN)
    private val entries: Map<String, Entry>
    private val located: Map<String, ArchiveEntry>
    private val layout: Layout
    private val arrays = ConcurrentHashMap<String, NumberArray>()
    private val verified: MutableSet<String> = ConcurrentHashMap.newKeySet()

    public val sizeBytes: Int = source.remaining()
    public val id: String
    public val manifest: Manifest

    init {
        try {
            val all = data!!
            val found = Archive.read(all)
            val raw = manifestBytes(all, found[0])
            id = sha256(raw)
            manifest = ManifestParser.parse(raw)
            entries = match(manifest.entries, found.drop(1))
            located = found.associateBy { it.name }
            layout = Layout(manifest)
        } catch (error: PackageException) {
            throw failure(error.message!!)
        }
        if (verify == Verify.FULL) for (entry in manifest.entries) if (entry.role == "array") array(entry.name) else blob(entry.name)
    }

    /** Width of the item text vectors and of encoded queries; 0 for a package without texts. */
    public val textDim: Int get() = manifest.signals.content ?: manifest.signals.semantic ?: 0

    /** Whether the package has an entry of this name. */
    public fun has(name: String): Boolean = name in entries

    /**
     * The array of one entry, read in place.
     *
     * @throws PackageException no such array, or its bytes or values fail their check.
     */
    public fun array(name: String): NumberArray {
        if (data != null) arrays[name]?.let { return it }
        val entry = entry(name)
        if (entry.role != "array") throw failure("entry '$name' is a ${entry.role}, not an array")
        val array = NumberArray(entry.dtype!!, entry.shape, blob(name))
        try {
            layout.checkValues(name, array)
        } catch (error: PackageException) {
            throw failure(error.message!!)
        }
        arrays[name] = array
        return array
    }

    /**
     * The bytes of one entry, of any role: a read-only, little-endian view of the file.
     *
     * @throws PackageException no such entry, or its bytes do not have the hash of the manifest.
     */
    public fun blob(name: String): ByteBuffer {
        val all = data ?: throw failure("the package is closed")
        val entry = entry(name)
        val view = part(all, located.getValue(name))
        if (name !in verified) {
            if (sha256(view) != entry.sha256) throw failure("entry '$name' is damaged: its SHA-256 is not the manifest's")
            verified.add(name)
        }
        return view
    }

    /** The string table stored as `prefix.offset`, `prefix.text` and, for lookup, `prefix.slot`. */
    public fun strings(prefix: String): StringTable {
        val slot = "$prefix.slot"
        return StringTable(array("$prefix.offset"), array("$prefix.text"), if (has(slot)) array(slot) else null)
    }

    /** A quantized table, stored as `table/value` and `table/scale`. */
    public fun dense(table: String): DenseTable {
        val bits = if (table == "tokens") manifest.encoder?.bits ?: 8 else 8
        return DenseTable(array("$table/value"), array("$table/scale"), bits)
    }

    /** Bytes of each entry's data, in file order. */
    public fun sizes(): Map<String, Int> = located.mapValues { it.value.size }

    /** Let go of the file. The mapping ends when the last view given out is gone. */
    override fun close() {
        data = null
        arrays.clear()
    }

    override fun toString(): String = "<PackageFile '${manifest.name}': ${manifest.catalogue.items} items, $sizeBytes bytes>"

    private fun failure(message: String) = PackageException("$where: $message")

    private fun entry(name: String): Entry = entries[name] ?: throw failure("the package has no entry '$name'")

    private companion object {
        /** The manifest's bytes; its CRC guards it as its own SHA-256s guard the other entries. */
        fun manifestBytes(data: ByteBuffer, entry: ArchiveEntry): ByteBuffer {
            if (entry.size > ManifestParser.MAX_BYTES) {
                throw PackageException("manifest.json has ${entry.size} bytes, expected at most ${ManifestParser.MAX_BYTES}")
            }
            val raw = part(data, entry)
            val crc = CRC32().also { it.update(raw.duplicate()) }
            if (crc.value.toInt() != entry.crc) throw PackageException("manifest.json is damaged: its CRC-32 is not the one in the ZIP header")
            return raw
        }

        /** Entries by name, after checking that manifest and archive list the same ones in the same order. */
        fun match(declared: List<Entry>, located: List<ArchiveEntry>): Map<String, Entry> {
            if (declared.size != located.size) {
                throw PackageException("the manifest lists ${declared.size} entries, the archive has ${located.size} beside it")
            }
            for ((ours, theirs) in declared.zip(located)) {
                if (ours.name != theirs.name || ours.size != theirs.size.toLong()) {
                    throw PackageException(
                        "the manifest has entry '${ours.name}' of ${ours.size} bytes where the archive has '${theirs.name}' of ${theirs.size}",
                    )
                }
            }
            return declared.associateBy { it.name }
        }

        fun part(data: ByteBuffer, entry: ArchiveEntry): ByteBuffer {
            val view = data.duplicate()
            view.limit(entry.offset + entry.size)
            view.position(entry.offset)
            return view.slice().order(ByteOrder.LITTLE_ENDIAN)
        }

        fun sha256(bytes: ByteBuffer): String {
            val digest = MessageDigest.getInstance("SHA-256").also { it.update(bytes.duplicate()) }.digest()
            return digest.joinToString("") { (it.toInt() and 0xFF).toString(16).padStart(2, '0') }
        }
    }
}
