package dev.pocketrec.file

import dev.pocketrec.PackageException
import java.nio.ByteBuffer

/**
 * `manifest.json` as values.
 *
 * Parsing trusts nothing: a value of the wrong type or range is refused by its full path (`signals.factors.dim`). Keys
 * that this version does not know are ignored; an unknown signal, role, dtype or encoder is refused, because ignoring it
 * would change the answers.
 */
internal object ManifestParser {
    const val MAX_BYTES = 16 shl 20

    private const val MAX_HEADS = 64
    private const val MAX_LABELS = 65_536
    private const val MAX_ATTRIBUTES = 256
    private const val MAX_RATING = (1 shl 20).toDouble()

    /** Entries in a block of the neighbours, and of the words. */
    private const val SPARSE_BLOCK = 16
    private const val LEXICAL_BLOCK = 2
    private val ROLES = listOf("array", "graph", "golden", "document")
    private val KINDS = listOf("category", "number", "boolean", "date")
    private val TOKENIZERS = listOf("wordpiece", "unigram")
    private val TIMES = listOf("published", "expires")
    private val VERSION = Regex("[0-9]{1,9}(\\.[0-9]{1,9}){0,3}")

    fun parse(data: ByteBuffer): Manifest {
        val top = JsonObject.parse(data)
        val format = top.integer("format", 1)
        if (format != Manifest.FORMAT.toLong()) {
            throw PackageException("the package has format $format, this runtime reads ${Manifest.FORMAT}: update pocketrec")
        }
        val signals = signals(top.obj("signals"))
        val blend = top.obj("blend")
        val entries = top.list("entries", Archive.MAX_ENTRIES).mapIndexed { i, value -> entry(JsonObject(value, "entries[$i]")) }
        val heads = heads(top)
        val catalogue = catalogue(top.obj("catalogue"), if (heads.isEmpty()) 1 else 0)
        val manifest = Manifest(
            name = top.text("name"),
            generator = top.text("generator"),
            entries = entries,
            catalogue = catalogue,
            history = top.obj("history").let { HistoryLimits(it.int("max_items", 1, 65536), it.number("max_weight", 1e-6, 1e6)) },
            signals = signals,
            blend = Manifest.MODES.associateWith { blend(blend.obj(it), signals) },
            encoder = top.objOrNull("encoder")?.let(::encoder),
            ratings = top.objOrNull("ratings")?.let(::ratings),
            cold = top.objOrNull("cold")?.let { cold(it, catalogue.items) },
            heads = heads,
            answers = top.objOrNull("answers")?.let(::answers),
            onnx = top.obj("graphs").objOrNull("onnx")?.let { onnx(it, ranker = signals.names.isNotEmpty()) },
            license = top.obj("data").text("license"),
            attribution = top.obj("data").text("attribution"),
        )
        checkRest(top)
        manifest.onnx?.let { checkGraphs("onnx", it.ranker, it.encoder, entries) }
        top.obj("graphs").objOrNull("tflite")?.let { checkTflite(it, entries) }
        return manifest
    }

    /** What only the tools that made the package read, so that a damaged one is refused everywhere alike. */
    private fun checkRest(top: JsonObject) {
        val input = top.obj("input")
        input.text("value_kind")
        input.text("reason")
        input.textOrNull("positive")
        input.textOrNull("split_sha256")
        top.obj("metrics")
        top.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE)
    }

    private fun entry(o: JsonObject): Entry {
        val name = Archive.checkName(o.text("name"))
        val role = o.choice("role", ROLES)
        val size = o.integer("size", 0)
        val sha256 = o.sha256("sha256")
        if (role != "array") return Entry(name, role, size, sha256)
        val dtype = DType.named(o.choice("dtype", DType.names))
        val lengths = o.get("shape") as? List<*>
        if (lengths == null || lengths.size !in 1..4) o.fail("shape", "a list of 1 to 4 lengths")
        val keyed = JsonObject(lengths.withIndex().associate { (i, length) -> "$i" to length }, o.where("shape"))
        val shape = LongArray(lengths.size) { keyed.integer("$it", 0) }
        var most = 1L // both factors are below 2^32, so that a product that overflows is negative or out of range, never small
        for (length in shape) {
            most *= maxOf(1, length)
            if (most !in 0..JsonObject.LARGEST_INTEGER) o.fail("shape", "a shape of less than 2^32 elements")
        }
        val expected = shape.fold(1L, Long::times) * dtype.size
        if (size != expected) {
            val shown = "${dtype.label}${shape.joinToString(prefix = "[", postfix = "]")}"
            throw PackageException("array ${Messages.quoted(name)}: $shown takes $expected bytes, the entry has $size")
        }
        return Entry(name, role, size, sha256, dtype, shape)
    }

    /** Of a package that only labels texts, it may be empty. */
    private fun catalogue(o: JsonObject, fewest: Long): CatalogueInfo {
        val items = count(o, "items", fewest)
        return CatalogueInfo(items, attributes(o), o.sha256("fingerprint"))
    }

    /** A number of rows. Positions in a JVM buffer are 31 bits wide, so that no table of more rows can be in the file. */
    private fun count(o: JsonObject, key: String, low: Long): Int = minOf(o.integer(key, low), Int.MAX_VALUE - 1L).toInt()

    /** The attribute `category`, which has a key of its own, then the others in their order. */
    private fun attributes(o: JsonObject): List<AttributeInfo> {
        val categories = count(o, "categories", 0)
        val listed = if (o.value.containsKey("attributes")) o.list("attributes", MAX_ATTRIBUTES) else emptyList()
        val found = ArrayList<AttributeInfo>()
        if (categories > 0) found.add(AttributeInfo("category", "category", "catalogue/category", categories))
        listed.forEachIndexed { number, value ->
            val one = JsonObject(value, "${o.where("attributes")}[$number]")
            val name = one.text("name")
            val kind = one.choice("kind", KINDS)
            if (name.isEmpty() || name == "category" || found.any { it.name == name }) one.fail("name", "a name of its own")
            if (name in TIMES && kind != "date") one.fail("kind", "date for $name")
            val values = if (kind == "category") count(one, "values", 1) else 0
            found.add(AttributeInfo(name, kind, "catalogue/column-$number", values))
        }
        return found
    }

    private fun signals(o: JsonObject): Signals {
        for (name in o.value.keys) {
            if (name !in Manifest.SIGNALS) {
                throw PackageException("manifest: signals.${name.take(80)} is unknown to this runtime: update pocketrec")
            }
        }
        for (prior in Manifest.PRIORS) o.objOrNull(prior)
        return Signals(
            names = Manifest.SIGNALS.filter { o.value[it] != null },
            factors = o.objOrNull("factors")?.let { FactorSettings(it.dim("dim"), it.number("alpha", 0.0, 1e6), it.int("steps", 1, 1000)) },
            neighbours = o.objOrNull("neighbours")?.let { NeighbourSettings(it.int("block", SPARSE_BLOCK, SPARSE_BLOCK), it.integer("budget", 1)) },
            content = o.objOrNull("content")?.dim("dim"),
            attributes = o.objOrNull("attributes")?.dim("dim"),
            semantic = o.objOrNull("semantic")?.dim("dim"),
            lexical = o.objOrNull("lexical")?.let {
                LexicalSettings(
                    it.choice("analyzer", listOf("words-1")),
                    it.int("block", LEXICAL_BLOCK, LEXICAL_BLOCK),
                    it.integer("budget", 1),
                    it.number("title", 0.0, 1e6),
                )
            },
        )
    }

    private fun blend(o: JsonObject, signals: Signals): Map<String, BlendTerm> {
        for (name in o.value.keys) {
            if (name !in signals.names) {
                throw PackageException("manifest: ${o.where(name.take(80))} weighs a signal that the package does not have")
            }
        }
        return signals.names.filter(o.value::containsKey).associateWith { name ->
            val term = o.obj(name)
            val highest = if (name in Manifest.HISTORY_SIGNALS || name == "lexical") 10.0 else 0.0
            BlendTerm(term.number("weight", -1e6, 1e6), term.number("power", 0.0, highest))
        }
    }

    private fun encoder(o: JsonObject): Encoder {
        val kind = o.choice("kind", listOf("static"))
        val tokenizer = o.choice("tokenizer", TOKENIZERS)
        val dim = o.dim("dim")
        val bits = bits(o)
        val maxTokens = o.int("max_tokens", 1, 65536)
        // WordPiece here always folds case; a unigram model says what its frozen table does.
        if (tokenizer == "unigram") o.boolean("lowercase") else requireTrue(o, "lowercase")
        val unknown = o.text("unknown")
        requireTrue(o, "normalize")
        return Encoder(
            kind, tokenizer, dim, bits, maxTokens, unknown, o.text("teacher"), o.text("teacher_sha256"), o.sha256("fingerprint"),
        )
    }

    private fun bits(o: JsonObject): Int {
        val bits = if (o.value.containsKey("bits")) o.int("bits", 4, 8) else 8
        if (bits != 4 && bits != 8) o.fail("bits", "4 or 8")
        return bits
    }

    /** A flag whose other value this runtime does not implement. */
    private fun requireTrue(o: JsonObject, key: String) {
        if (!o.boolean(key)) {
            throw PackageException("manifest: ${o.where(key)} is false, this runtime knows only true: update pocketrec")
        }
    }

    private fun ratings(o: JsonObject): RatingSettings {
        val low = o.number("low", -MAX_RATING, MAX_RATING)
        val high = o.number("high", -MAX_RATING, MAX_RATING)
        if (low >= high) {
            throw PackageException("manifest: ${o.path} goes from ${Messages.general(low)} to ${Messages.general(high)}, expected low < high")
        }
        return RatingSettings(
            o.int("dim", 1, 4096), low, high, o.number("mean", -MAX_RATING, MAX_RATING),
            o.number("regularization", 1e-12, 1e12), o.number("bias_regularization", 1e-12, 1e12),
        )
    }

    private fun cold(o: JsonObject, items: Int): ColdInfo {
        val info = ColdInfo(
            o.int("anchors", 1, 1 shl 20), o.int("near", 1, 256), o.number("power", 0.0, 16.0),
            o.int("tokens", 1, 65536), o.number("factors", 0.0, 1e6), o.number("neighbours", 0.0, 1e6),
        )
        if (info.anchors > items) o.fail("anchors", "at most the number of items")
        return info
    }

    /** There must be a ranker where there is anything to rank by. */
    private fun onnx(o: JsonObject, ranker: Boolean): OnnxGraphs =
        OnnxGraphs(if (ranker) o.text("ranker") else null, o.textOrNull("encoder"), version(o, "min_onnxruntime"))

    /** No engine here runs these, so that they are only held to their form. */
    private fun checkTflite(o: JsonObject, entries: List<Entry>) {
        val ranker = o.text("ranker")
        val encoder = o.textOrNull("encoder")
        version(o, "min_litert")
        version(o, "min_tflite_runtime")
        checkGraphs("tflite", ranker, encoder, entries)
    }

    private fun version(o: JsonObject, key: String): String {
        val floor = o.text(key)
        if (!VERSION.matches(floor)) o.fail(key, "a version such as 1.20")
        return floor
    }

    private fun checkGraphs(target: String, ranker: String?, encoder: String?, entries: List<Entry>) {
        val graphs = entries.filter { it.role == "graph" }.map { it.name }.toSet()
        for ((key, name) in listOf("ranker" to ranker, "encoder" to encoder)) {
            if (name != null && name !in graphs) {
                throw PackageException("manifest: graphs.$target.$key is ${Messages.quoted(name)}, which is not a graph entry")
            }
        }
    }

    private fun answers(o: JsonObject): AnswerSettings = AnswerSettings(
        count(o, "answers", 1), o.int("pool", 1, 1000), o.number("bias", -1e6, 1e6), o.number("score", -1e6, 1e6),
        o.number("margin", -1e6, 1e6), o.number("threshold", 0.0, 1.0),
    )

    private fun heads(top: JsonObject): List<HeadInfo> {
        if (top.value["heads"] == null) return emptyList()
        val listed = top.value["heads"] as? List<*>
        if (listed == null || listed.size !in 1..MAX_HEADS) top.fail("heads", "a list of 1 to $MAX_HEADS")
        val found = ArrayList<HeadInfo>()
        listed.forEachIndexed { number, value ->
            val one = JsonObject(value, "heads[$number]")
            val name = one.text("name")
            if (name.isEmpty() || found.any { it.name == name }) one.fail("name", "a name of its own")
            found.add(HeadInfo(name, "heads/$number", one.int("labels", 2, MAX_LABELS)))
        }
        return found
    }
}
