package dev.pocketrec.rank

import dev.pocketrec.Alert
import dev.pocketrec.Classification
import dev.pocketrec.Label
import dev.pocketrec.PackageException
import dev.pocketrec.UsageException
import dev.pocketrec.file.HeadInfo
import dev.pocketrec.file.Messages
import dev.pocketrec.file.PackageFile

/**
 * The label heads of one package: head n gives softmax(W u + b) over its labels, u the text's unit vector, in float64.
 * Threads may share it.
 *
 * @throws PackageException a head has a label twice.
 */
internal class Heads(file: PackageFile) {
    private val heads = file.manifest.heads.map { Head(file, it) }

    /**
     * The labels of a text by its unit vector; none for a vector of zeros.
     *
     * @throws UsageException an alert names a head or a label that the package lacks, or a label that several heads have.
     */
    fun classify(vector: FloatArray, alerts: List<Alert>, truncated: Boolean): Classification {
        val watched = alerts.map { it to watched(it) }
        if (vector.all { it == 0f }) return Classification(emptyMap(), emptyList(), truncated)
        val labels = heads.associateTo(LinkedHashMap()) { it.name to it.label(vector) }
        val fired = watched.filter { (alert, head) -> labels.getValue(head).probabilities.getValue(alert.label) > alert.threshold }
        return Classification(labels, fired.map { it.first }, truncated)
    }

    /** The name of the head that an alert watches. */
    private fun watched(alert: Alert): String {
        val said = "alert ${Messages.quoted(alert.toString())}"
        if (alert.head != null && heads.none { it.name == alert.head }) {
            throw UsageException("$said: no head ${Messages.quoted(alert.head)}; this package has ${heads.joinToString { it.name }}")
        }
        val asked = heads.filter { alert.head == null || alert.head == it.name }
        val having = asked.filter { alert.label in it.labels }
        if (having.isEmpty()) {
            val known = asked.flatMap { it.labels.take(10) }.joinToString().take(400)
            throw UsageException("$said: no label ${Messages.quoted(alert.label)}; there are $known")
        }
        if (having.size > 1) {
            throw UsageException("$said: ${having.joinToString(" and ") { it.name }} have this label; write ${having[0].name}=$alert")
        }
        return having[0].name
    }

    private class Head(file: PackageFile, info: HeadInfo) {
        val name = info.name
        val labels = file.strings("${info.prefix}_label").let { table -> List(table.size) { table[it] } }
        private val weight = file.array("${info.prefix}.weight")
        private val bias = file.array("${info.prefix}.bias")

        init {
            if (labels.toSet().size < labels.size) throw PackageException("head ${Messages.quoted(name)} has a label twice")
        }

        /** Its most probable label, ties by order. */
        fun label(vector: FloatArray): Label {
            val logits = DoubleArray(labels.size) { row ->
                var sum = 0.0
                for (d in vector.indices) sum += weight.float(row * vector.size + d).toDouble() * vector[d]
                sum + bias.float(row)
            }
            val largest = logits.maxOf { it }
            val odds = DoubleArray(logits.size) { Math.exp(logits[it] - largest) }
            val total = odds.sum()
            val probability = labels.indices.associateTo(LinkedHashMap()) { labels[it] to odds[it] / total }
            val best = labels[odds.indices.maxByOrNull { odds[it] }!!]
            return Label(best, probability.getValue(best), probability)
        }
    }
}
